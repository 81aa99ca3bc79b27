use std::sync::Arc;

use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::control::{Registry, check_name};
use obs_core::metric::{Descriptor, Recorder, Unit};

use super::handle::{Series, Shared};
use super::{LoadShed, LoadShedConfig};
use crate::priority::Priority;

static LIMIT: Descriptor =
    Descriptor::new("LoadShedLimit", Unit::Count, "Calls that may be in flight");
static IN_FLIGHT: Descriptor =
    Descriptor::new("LoadShedInFlight", Unit::Count, "Most calls in flight in the last window");
static SHED: Descriptor = Descriptor::new("LoadShed", Unit::Count, "Calls shed, by priority");

/// Builds a [`LoadShed`].
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::control::{Kind, Registry};
/// use obs_core::metric;
/// use obs_tower::load_shed::{LoadShed, LoadShedConfig};
///
/// let controls = Registry::default();
/// let shed = LoadShed::builder("orders")
///     .config(LoadShedConfig::new().initial_limit(50))
///     .clock(Clock::system())
///     .recorder(metric::disabled())
///     .controls(&controls)
///     .build()?;
/// assert_eq!(shed.limit(), 50);
/// assert!(controls.get(Kind::LoadShed, shed.name()).is_some());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct LoadShedBuilder {
    name: Arc<str>,
    config: LoadShedConfig,
    clock: Clock,
    series: Series,
    controls: Option<Registry>,
}

impl LoadShedBuilder {
    pub(super) fn new(name: Arc<str>) -> Self {
        let (config, clock) = (LoadShedConfig::default(), Clock::system());
        Self { name, config, clock, series: Series::default(), controls: None }
    }

    /// How the limit moves. Default: the defaults of [`LoadShedConfig`](super::LoadShedConfig).
    pub fn config(mut self, config: LoadShedConfig) -> Self {
        self.config = config;
        self
    }

    /// The clock. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Records `LoadShedLimit`, `LoadShedInFlight` and, by `Priority`, `LoadShed`, all by `Limit`.
    /// Default nowhere.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        let name = Arc::clone(&self.name);
        self.series = Series {
            limit: recorder.gauge(&LIMIT, &[("Limit", &name)]),
            in_flight: recorder.gauge(&IN_FLIGHT, &[("Limit", &name)]),
            shed: Priority::ALL.map(|priority| {
                recorder.counter(&SHED, &[("Limit", &name), ("Priority", priority.as_str())])
            }),
        };
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
    /// [`ConfigError`] for a name that [cannot be used](check_name) or a configuration that
    /// [breaks a rule](LoadShedConfig::validate).
    pub fn build(self) -> Result<LoadShed, ConfigError> {
        check_name(&self.name)?;
        self.config.validate()?;
        self.series.limit.set(f64::from(self.config.initial_limit));
        let shared = Shared::new(self.name, self.clock, self.config, self.series);
        let shed = LoadShed(Arc::new(shared));
        if let Some(registry) = self.controls {
            registry.register(Arc::new(shed.clone()));
        }
        Ok(shed)
    }
}
