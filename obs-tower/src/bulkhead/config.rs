use std::time::Duration;

use obs_core::config::ConfigError;

/// How many calls a bulkhead lets in, and how long others wait.
///
/// Names and defaults are resilience4j's.
///
/// ```
/// use std::time::Duration;
///
/// use obs_tower::bulkhead::{BulkheadConfig, Order};
///
/// let config = BulkheadConfig::new()
///     .max_concurrent_calls(50)
///     .max_concurrent_calls_per_share(10)
///     .max_wait_duration(Duration::from_millis(200))
///     .max_queue_length(100)
///     .order(Order::Fifo)
///     .shadow(false);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct BulkheadConfig {
    pub(super) max_concurrent_calls: u32,
    pub(super) max_concurrent_calls_per_share: Option<u32>,
    pub(super) max_wait_duration: Duration,
    pub(super) max_queue_length: u32,
    pub(super) order: Order,
    pub(super) shadow: bool,
}

/// In which order equals leave the queue.
///
/// ```
/// use obs_tower::bulkhead::{BulkheadConfig, Order};
///
/// // Under overload the newest callers are those who still wait for their answer.
/// let config = BulkheadConfig::new().order(Order::Lifo);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The longest waiting first.
    #[default]
    Fifo,
    /// The newest first: under lasting overload its caller is most likely to be still there. The
    /// starving still go before.
    Lifo,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self {
            max_concurrent_calls: 25,
            max_concurrent_calls_per_share: None,
            max_wait_duration: Duration::ZERO,
            max_queue_length: 100,
            order: Order::Fifo,
            shadow: false,
        }
    }
}

impl BulkheadConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls at once. Default 25, at least 1.
    pub fn max_concurrent_calls(mut self, calls: u32) -> Self {
        self.max_concurrent_calls = calls;
        self
    }

    /// Calls at once of one share, at least 1. Default: as many as of all together.
    pub fn max_concurrent_calls_per_share(mut self, calls: u32) -> Self {
        self.max_concurrent_calls_per_share = Some(calls);
        self
    }

    /// How long a call may wait for room. Default 0: it is refused at once. At most 1 h.
    pub fn max_wait_duration(mut self, wait: Duration) -> Self {
        self.max_wait_duration = wait;
        self
    }

    /// How many calls may wait. Default 100, at most 10,000.
    pub fn max_queue_length(mut self, calls: u32) -> Self {
        self.max_queue_length = calls;
        self
    }

    /// In which order equals leave the queue. Default first in, first out.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Counts calls for which there is no room, and lets them in. Default false.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that breaks one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.max_concurrent_calls == 0 {
            return Err(ConfigError::new("max_concurrent_calls", 0, "must be at least 1"));
        }
        if self.max_concurrent_calls_per_share == Some(0) {
            return Err(ConfigError::new(
                "max_concurrent_calls_per_share",
                0,
                "must be at least 1",
            ));
        }
        if self.max_wait_duration > Duration::from_secs(3_600) {
            let wait = format!("{:?}", self.max_wait_duration);
            return Err(ConfigError::new("max_wait_duration", wait, "must be at most 1h"));
        }
        if self.max_queue_length > 10_000 {
            let length = self.max_queue_length;
            return Err(ConfigError::new("max_queue_length", length, "must be at most 10000"));
        }
        Ok(())
    }
}
