use std::time::Duration;

use obs_core::config::ConfigError;

/// How a node leases tokens from a store.
///
/// ```
/// use std::time::Duration;
/// use obs_ratelimit::{LeaseConfig, OnStoreFailure};
///
/// let config = LeaseConfig::new()
///     .max_age(Duration::from_secs(2))
///     .on_store_failure(OnStoreFailure::ShareLocal);
/// assert_ne!(config, LeaseConfig::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeaseConfig {
    pub(crate) target: Duration,
    pub(crate) max_age: Duration,
    pub(crate) max_fraction: f64,
    pub(crate) silent_fraction: f64,
    pub(crate) max_nodes: u32,
    pub(crate) write_budget: f64,
    pub(crate) calls_per_second: u32,
    pub(crate) place_age: Duration,
    pub(crate) store_timeout: Duration,
    pub(crate) on_store_failure: OnStoreFailure,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self {
            target: Duration::from_millis(500),
            max_age: Duration::from_secs(1),
            max_fraction: 0.25,
            silent_fraction: 0.1,
            max_nodes: 32,
            write_budget: 100.0,
            calls_per_second: 1_000,
            place_age: Duration::from_secs(30),
            store_timeout: Duration::from_millis(50),
            on_store_failure: OnStoreFailure::Open,
        }
    }
}

impl LeaseConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For how long a lease is meant to last. Default 500 ms; above 0, at most half of
    /// [`max_age`](Self::max_age).
    ///
    /// Shorter leases follow demand faster and are written more often.
    #[must_use]
    pub const fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// After which time an unspent token is worthless. Default 1 s.
    ///
    /// It is the time by which the bound grows: in any span `W` the fleet is admitted at most what
    /// one bucket would admit in `W` and this time.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// The largest part of a bucket in one lease. Default 0.25; above 0, at most 1.
    #[must_use]
    pub const fn max_fraction(mut self, fraction: f64) -> Self {
        self.max_fraction = fraction;
        self
    }

    /// The part of the quota that all nodes together may use without telling the store, so that
    /// keys far from their limit cause no write. Default 0.1; from 0 to 1.
    ///
    /// The bound grows by this part. A node's own part of the burst is rounded down, and may be 0.
    #[must_use]
    pub const fn silent_fraction(mut self, fraction: f64) -> Self {
        self.silent_fraction = fraction;
        self
    }

    /// The most nodes that share a key. Default 32; at least 1. More nodes than that can use more
    /// than the silent part together.
    #[must_use]
    pub const fn max_nodes(mut self, nodes: u32) -> Self {
        self.max_nodes = nodes;
        self
    }

    /// Writes to one key by the whole fleet above which leases become longer, within
    /// [`max_age`](Self::max_age). Unit: writes per second. Default 100, a tenth of what a
    /// partition of DynamoDB takes
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).
    #[must_use]
    pub const fn write_budget(mut self, writes_per_second: f64) -> Self {
        self.write_budget = writes_per_second;
        self
    }

    /// The most calls to the store by this node. Unit: calls per second. Default 1,000, at
    /// least one. Keys beyond it are limited to this node's share, so a flood of keys is no flood of
    /// writes.
    #[must_use]
    pub const fn calls_per_second(mut self, calls: u32) -> Self {
        self.calls_per_second = calls;
        self
    }

    /// For how long a node that says nothing keeps its places of a concurrency limit; it renews
    /// them each third of that. Default 30 s; above 0, up to 1 h.
    ///
    /// The places of a node that died are free after this time. A node that does not reach the
    /// store for longer may run as many requests as it had places on top of the limit.
    #[must_use]
    pub const fn place_age(mut self, age: Duration) -> Self {
        self.place_age = age;
        self
    }

    /// How long a call to the store, and a request that waits for it, may take. Default 50 ms;
    /// above 0.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_ratelimit::{Bound, LeaseConfig, Quota};
    ///
    /// let config = LeaseConfig::new()
    ///     .target(Duration::from_millis(400))
    ///     .max_fraction(0.2)
    ///     .silent_fraction(0.05)
    ///     .max_nodes(16)
    ///     .write_budget(50.0)
    ///     .calls_per_second(500)
    ///     .place_age(Duration::from_secs(20))
    ///     .store_timeout(Duration::from_millis(30));
    /// assert!(Bound::of(Quota::per_second(1_000), &config).is_ok());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// What happens without the store, once leases have run out. Default
    /// [`OnStoreFailure::Open`].
    #[must_use]
    pub const fn on_store_failure(mut self, action: OnStoreFailure) -> Self {
        self.on_store_failure = action;
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field: &'static str, value: String, rule: &'static str| {
            Err(ConfigError::new(field, value, rule))
        };
        if self.max_age.is_zero() || self.max_age > Duration::from_secs(3_600) {
            return refuse("max_age", format!("{:?}", self.max_age), "must be above 0, up to 1 h");
        }
        if self.target.is_zero() || self.target * 2 > self.max_age {
            let rule = "must be above 0 and at most half of max_age";
            return refuse("target", format!("{:?}", self.target), rule);
        }
        if !(self.max_fraction > 0.0 && self.max_fraction <= 1.0) {
            let rule = "must be above 0 and at most 1";
            return refuse("max_fraction", self.max_fraction.to_string(), rule);
        }
        if !(0.0..=1.0).contains(&self.silent_fraction) {
            let rule = "must be from 0 to 1";
            return refuse("silent_fraction", self.silent_fraction.to_string(), rule);
        }
        if self.max_nodes == 0 {
            return refuse("max_nodes", "0".to_owned(), "must be at least 1");
        }
        if !(self.write_budget > 0.0 && self.write_budget.is_finite()) {
            return refuse("write_budget", self.write_budget.to_string(), "must be above 0");
        }
        if self.calls_per_second == 0 {
            return refuse("calls_per_second", "0".to_owned(), "must be at least 1");
        }
        if self.place_age.is_zero() || self.place_age > Duration::from_secs(3_600) {
            let rule = "must be above 0, up to 1 h";
            return refuse("place_age", format!("{:?}", self.place_age), rule);
        }
        if self.store_timeout.is_zero() || self.store_timeout > Duration::from_secs(60) {
            let rule = "must be above 0, up to 60 s";
            return refuse("store_timeout", format!("{:?}", self.store_timeout), rule);
        }
        Ok(())
    }
}

/// What happens without the store, once leases have run out.
///
/// Each step is counted, stands in the control's state, and is named in the response header
/// `x-ratelimit-fallback`.
///
/// ```
/// use std::time::Duration;
///
/// use obs_ratelimit::{LeaseConfig, OnStoreFailure};
///
/// let config = LeaseConfig::new()
///     .on_store_failure(OnStoreFailure::ReuseLast { max_age: Duration::from_secs(30) });
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStoreFailure {
    /// Within its share of the limit a node admits as `share`; beyond it everything as `open`.
    #[default]
    Open,
    /// A node admits its share of the limit: the quota divided by the nodes last seen. The fleet
    /// stays within the quota as long as it has no more nodes than that.
    ShareLocal,
    /// For this long after its last lease a node goes on at the rate of that lease, then with
    /// its share.
    ReuseLast {
        /// For how long the last lease is a good guess.
        max_age: Duration,
    },
    /// Everything is refused with 503.
    Closed,
}
