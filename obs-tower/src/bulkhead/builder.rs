use std::sync::Arc;

use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::control::{Registry, check_name};
use obs_core::metric::{Descriptor, Recorder, Unit};

use super::handle::{Series, Shared};
use super::{Bulkhead, BulkheadConfig};

static IN_FLIGHT: Descriptor =
    Descriptor::new("BulkheadInFlight", Unit::Count, "Calls inside the bulkhead");
static WAITING: Descriptor =
    Descriptor::new("BulkheadWaiting", Unit::Count, "Calls in the queue of the bulkhead");
static REJECTED: Descriptor =
    Descriptor::new("BulkheadRejected", Unit::Count, "Calls for which there was no room");

/// Builds a [`Bulkhead`].
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::control::{Kind, Registry};
/// use obs_core::metric;
/// use obs_tower::bulkhead::{Bulkhead, BulkheadConfig};
///
/// let controls = Registry::default();
/// let bulkhead = Bulkhead::builder("orders")
///     .config(BulkheadConfig::new().max_concurrent_calls(50))
///     .clock(Clock::system())
///     .recorder(metric::disabled())
///     .controls(&controls)
///     .build()?;
/// assert!(controls.get(Kind::Bulkhead, bulkhead.name()).is_some());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct BulkheadBuilder {
    name: Arc<str>,
    config: BulkheadConfig,
    clock: Clock,
    series: Series,
    controls: Option<Registry>,
}

impl BulkheadBuilder {
    pub(super) fn new(name: Arc<str>) -> Self {
        let (config, clock) = (BulkheadConfig::default(), Clock::system());
        Self { name, config, clock, series: Series::default(), controls: None }
    }

    /// How many get in and how long others wait. Default: the defaults of
    /// [`BulkheadConfig`](super::BulkheadConfig).
    pub fn config(mut self, config: BulkheadConfig) -> Self {
        self.config = config;
        self
    }

    /// The clock. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Records `BulkheadInFlight`, `BulkheadWaiting` and `BulkheadRejected` by `Bulkhead`. Default
    /// nowhere.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        let labels = [("Bulkhead", &*self.name)];
        self.series = Series {
            in_flight: recorder.gauge(&IN_FLIGHT, &labels),
            waiting: recorder.gauge(&WAITING, &labels),
            rejected: recorder.counter(&REJECTED, &labels),
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
    /// [breaks a rule](BulkheadConfig::validate).
    pub fn build(self) -> Result<Bulkhead, ConfigError> {
        check_name(&self.name)?;
        self.config.validate()?;
        let shared = Shared::new(self.name, self.clock, self.config, self.series);
        let bulkhead = Bulkhead(Arc::new(shared));
        if let Some(registry) = self.controls {
            registry.register(Arc::new(bulkhead.clone()));
        }
        Ok(bulkhead)
    }
}
