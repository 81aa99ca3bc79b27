use std::fmt;
use std::sync::{Arc, Weak};

use super::{Inner, Telemetry};

/// A reference that does not keep a [`Telemetry`] alive: for what the telemetry itself holds, such
/// as controls and flush hooks, and which has to look at it.
///
/// ```
/// use obs_core::environment::Environment;
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").environment(Environment::empty()).build()?;
/// let weak = telemetry.downgrade();
/// assert!(weak.upgrade().is_some());
/// drop(telemetry);
/// assert!(weak.upgrade().is_none());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct WeakTelemetry(Weak<Inner>);

impl WeakTelemetry {
    /// The telemetry, if somebody still has it.
    #[must_use]
    pub fn upgrade(&self) -> Option<Telemetry> {
        self.0.upgrade().map(Telemetry)
    }
}

impl Telemetry {
    /// A reference that does not keep it alive.
    ///
    /// ```
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// assert!(telemetry.downgrade().upgrade().is_some());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakTelemetry {
        WeakTelemetry(Arc::downgrade(&self.0))
    }
}

impl fmt::Debug for WeakTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakTelemetry").field(&self.upgrade()).finish()
    }
}
