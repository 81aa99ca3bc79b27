use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use obs_core::config::ConfigError;
use obs_core::control::{Registry, check_name};
use obs_core::metric::{Counter, Descriptor, Recorder, Unit};

static FALLBACKS: Descriptor =
    Descriptor::new("Fallbacks", Unit::Count, "Answers for which a fallback stood in");

/// Counts what falls back, and switches it; clones are the same.
///
/// ```
/// use obs_tower::fallback::Fallback;
///
/// let fallback = Fallback::builder("menu").build()?;
/// assert_eq!((&**fallback.name(), fallback.fallen()), ("menu", 0));
/// // In shadow it counts what would fall back, and changes no answer.
/// fallback.set_shadow(true);
/// assert!(fallback.is_shadow());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fallback(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    shadow: AtomicBool,
    fallen: AtomicU64,
    series: Counter,
}

impl Fallback {
    /// Builds a handle; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> FallbackBuilder {
        let (shadow, series) = (false, Counter::disabled());
        FallbackBuilder { name: name.into(), shadow, series, controls: None }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Answers for which the fallback stood in, or would have in shadow mode.
    #[must_use]
    pub fn fallen(&self) -> u64 {
        self.0.fallen.load(Ordering::Relaxed)
    }

    /// Whether it is only counted what would fall back.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.0.shadow.load(Ordering::Relaxed)
    }

    /// Sets whether it is only counted what would fall back.
    pub fn set_shadow(&self, shadow: bool) {
        self.0.shadow.store(shadow, Ordering::Relaxed);
    }

    /// Counts an answer that the fallback is to stand in for; whether it may.
    pub(super) fn stands_in(&self) -> bool {
        self.0.fallen.fetch_add(1, Ordering::Relaxed);
        self.0.series.add(1);
        !self.is_shadow()
    }
}

/// Builds a [`Fallback`].
///
/// ```
/// use obs_core::control::{Kind, Registry};
/// use obs_core::metric;
/// use obs_tower::fallback::Fallback;
///
/// let controls = Registry::default();
/// let fallback = Fallback::builder("menu")
///     .shadow(false)
///     .recorder(metric::disabled())
///     .controls(&controls)
///     .build()?;
/// assert!(controls.get(Kind::Fallback, fallback.name()).is_some());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct FallbackBuilder {
    name: Arc<str>,
    shadow: bool,
    series: Counter,
    controls: Option<Registry>,
}

impl FallbackBuilder {
    /// Counts what would fall back, and leaves it as it is. Default false.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// Records `Fallbacks` by `Fallback`. Default nowhere.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        self.series = recorder.counter(&FALLBACKS, &[("Fallback", &self.name)]);
        self
    }

    /// Registers it, so that operators can see and control it. Default: nowhere.
    pub fn controls(mut self, registry: &Registry) -> Self {
        self.controls = Some(registry.clone());
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that [cannot be used](check_name).
    pub fn build(self) -> Result<Fallback, ConfigError> {
        check_name(&self.name)?;
        let fallback = Fallback(Arc::new(Shared {
            name: self.name,
            shadow: AtomicBool::new(self.shadow),
            fallen: AtomicU64::new(0),
            series: self.series,
        }));
        if let Some(registry) = self.controls {
            registry.register(Arc::new(fallback.clone()));
        }
        Ok(fallback)
    }
}
