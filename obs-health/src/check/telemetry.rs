use std::sync::Arc;

use obs_core::control::{Control, Health};

use super::{Check, CheckFuture, Observation};

/// Asks a registered control how well it is: the telemetry pipeline, a breaker, a bulkhead.
///
/// Reading a control takes no I/O, so the answer is always fresh when the check runs.
///
/// ```
/// use std::sync::Arc;
///
/// use obs_core::control::{Health, Kind};
/// use obs_core::telemetry::Telemetry;
/// use obs_health::check::{Check, ControlCheck};
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let pipeline = telemetry.controls().list().into_iter().find(|c| c.kind() == Kind::Telemetry);
/// let check = ControlCheck::new(pipeline.expect("every telemetry registers itself"));
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// assert_eq!(check.check().await.health(), Health::Pass);
/// # });
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ControlCheck {
    control: Arc<dyn Control>,
}

impl ControlCheck {
    /// A check of `control`.
    #[must_use]
    pub fn new(control: Arc<dyn Control>) -> Self {
        Self { control }
    }
}

impl Check for ControlCheck {
    fn check(&self) -> CheckFuture {
        let health = self.control.health();
        let output = || format!("{} is {}", self.control.name(), self.control.state());
        let observation = match health {
            Health::Pass => Observation::pass(),
            Health::Warn => Observation::warn(output()),
            Health::Fail => Observation::fail(output()),
        };
        Box::pin(std::future::ready(observation))
    }
}
