//! A named limit: a quota, whose it is, and what counts.

use std::fmt;
use std::sync::Arc;

use http::request;
use obs_core::config::ConfigError;
use obs_core::outcome::Outcome;

use crate::key::Key;
use crate::overrides::Overrides;
use crate::quota::Quota;

/// Keys that a table holds by default: 262,144, as 9 MiB for a rate.
pub const DEFAULT_MAX_KEYS: usize = 262_144;

/// A named limit, checked.
///
/// ```
/// use obs_ratelimit::{Key, Limit, Overrides, Policy, Quota};
///
/// let policy = Policy::builder("tenant", Quota::per_second(100).burst(200))
///     .key(Key::tenant())
///     .overrides(Overrides::new().with(&["acme"], Quota::per_second(1_000)))
///     .build()?;
/// assert_eq!(policy.name(), "tenant");
///
/// let error = Policy::builder("tenant", Quota::per_second(0)).build().unwrap_err();
/// assert_eq!(error.to_string(), "limit = 0: must be at least 1");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) quota: Quota,
    pub(crate) key: Key,
    pub(crate) override_key: Option<Key>,
    pub(crate) overrides: Overrides,
    pub(crate) cost: Cost,
    pub(crate) late_cost: bool,
    pub(crate) charge: Charge,
    pub(crate) charge_refused: bool,
    pub(crate) refund_on_cancel: bool,
    pub(crate) on_missing_key: OnMissingKey,
    pub(crate) skip: Option<Predicate>,
    pub(crate) shadow: bool,
    pub(crate) max_keys: usize,
    pub(crate) mode: Mode,
}

impl Policy {
    /// Starts a policy. `name` stands in headers, bodies and metrics: 1 to 64 characters of
    /// `[A-Za-z0-9._:/-]`.
    pub fn builder(name: impl Into<Arc<str>>, quota: Quota) -> PolicyBuilder {
        PolicyBuilder(Self {
            name: name.into(),
            quota,
            key: Key::global(),
            override_key: None,
            overrides: Overrides::default(),
            cost: Cost::Fixed(1),
            late_cost: false,
            charge: Charge::Always,
            charge_refused: false,
            refund_on_cancel: false,
            on_missing_key: OnMissingKey::Share,
            skip: None,
            shadow: false,
            max_keys: DEFAULT_MAX_KEYS,
            mode: Mode::Local,
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The quota of keys without an override.
    ///
    /// ```
    /// use obs_ratelimit::{Key, Overrides, Policy, Quota};
    ///
    /// let policy = Policy::builder("tenant", Quota::per_second(100))
    ///     .key(Key::tenant())
    ///     .overrides(Overrides::new().with(&["acme"], Quota::per_second(500)))
    ///     .build()?;
    /// assert_eq!(policy.quota(), Quota::per_second(100));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }
}

/// Builds a [`Policy`].
///
/// ```
/// use obs_ratelimit::{Charge, Key, OnMissingKey, Overrides, Policy, Quota};
///
/// let policy = Policy::builder("tenant", Quota::per_second(100).burst(200))
///     .key(Key::tenant())
///     .overrides(Overrides::new().with(&["acme"], Quota::per_second(500)))
///     .cost_by(|request| if request.method == "POST" { 5 } else { 1 })
///     .charge(Charge::Always)
///     .charge_refused(false)
///     .refund_on_cancel(true)
///     .on_missing_key(OnMissingKey::Share)
///     .skip(|request| request.uri.path().starts_with("/health"))
///     .max_keys(100_000)
///     .shadow(true)
///     .build()?;
/// assert_eq!((policy.name(), policy.quota().capacity()), ("tenant", 200));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PolicyBuilder(Policy);

impl PolicyBuilder {
    /// Whose limit it is. Default [`Key::global`].
    pub fn key(mut self, key: Key) -> Self {
        self.0.key = key;
        self
    }

    /// Other limits for some keys; they can be replaced while the service runs. Default: none.
    pub fn overrides(mut self, overrides: Overrides) -> Self {
        self.0.overrides = overrides;
        self
    }

    /// What of a request names its override. Default: the policy's key.
    ///
    /// With a key of tenant and route, an override key of the tenant alone gives a tenant's
    /// routes the same other limit each.
    pub fn override_key(mut self, key: Key) -> Self {
        self.0.override_key = Some(key);
        self
    }

    /// What each request costs. Default 1. A request that costs 0 is admitted and not counted.
    pub fn cost(mut self, cost: u64) -> Self {
        self.0.cost = Cost::Fixed(cost);
        self
    }

    /// What a request costs, read from it; a cost above the quota's capacity is refused for good,
    /// without `Retry-After`. Default 1.
    pub fn cost_by(
        mut self,
        cost: impl Fn(&request::Parts) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.0.cost = Cost::By(Arc::new(cost));
        self
    }

    /// What a request costs is known only when it has been answered: bytes, or tokens of a model.
    ///
    /// [`cost`](Self::cost) or [`cost_by`](Self::cost_by) is what is reserved while it runs, and
    /// [`RequestCost`](crate::RequestCost) says what it came to. No effect on concurrency.
    ///
    /// ```
    /// use obs_ratelimit::{Key, Policy, Quota};
    ///
    /// // Tokens of a language model: a thousand are reserved, and what was used is charged.
    /// let tokens = Policy::builder("tokens", Quota::per_minute(100_000))
    ///     .key(Key::user())
    ///     .override_key(Key::tenant())
    ///     .cost(1_000)
    ///     .cost_after()
    ///     .build()?;
    /// # let _ = tokens;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn cost_after(mut self) -> Self {
        self.0.late_cost = true;
        self
    }

    /// Which requests count. Default [`Charge::Always`].
    pub fn charge(mut self, charge: Charge) -> Self {
        self.0.charge = charge;
        self
    }

    /// Whether a request that this policy refuses counts too, for limits on abuse. Default no.
    pub fn charge_refused(mut self, charge: bool) -> Self {
        self.0.charge_refused = charge;
        self
    }

    /// Whether a request whose client went away is given back. Default no.
    pub fn refund_on_cancel(mut self, refund: bool) -> Self {
        self.0.refund_on_cancel = refund;
        self
    }

    /// What becomes of a request that lacks a part of the key. Default [`OnMissingKey::Share`].
    pub fn on_missing_key(mut self, action: OnMissingKey) -> Self {
        self.0.on_missing_key = action;
        self
    }

    /// Requests that this policy does not see. Default: none.
    pub fn skip(mut self, skip: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        self.0.skip = Some(Predicate(Arc::new(skip)));
        self
    }

    /// Decide and count, but refuse nothing. Default no.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.0.shadow = shadow;
        self
    }

    /// The keys that have a bucket of their own at the same time; keys beyond them share buckets.
    /// Default [`DEFAULT_MAX_KEYS`], at least 1, at most 2^28.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.0.max_keys = keys;
        self
    }

    /// Shares the limit with a fleet by leases: this node takes tokens from `store` ahead of need
    /// and decides by itself while they last. What the fleet is admitted is bounded:
    /// [`Bound`](crate::Bound).
    ///
    /// Every quota can be leased. A rate is bounded as [`Bound`](crate::Bound) says. A window or a
    /// calendar unit gives its limit and no more, for its leases end with it; its keys are told to
    /// the store from the first request on. A concurrency limit leases places, which a node renews
    /// while it uses them: never more than the limit run at once, except on nodes that do not reach
    /// the store for longer than [`place_age`](crate::LeaseConfig::place_age).
    ///
    /// Needs tokio to run on. A node keeps about 220 bytes for a key.
    #[cfg(feature = "shared")]
    pub fn leased(
        mut self,
        store: Arc<dyn crate::store::Store>,
        config: crate::LeaseConfig,
    ) -> Self {
        self.0.mode = Mode::Leased(store, config);
        self
    }

    /// Shares the limit with a fleet exactly: every request waits for `store`.
    ///
    /// For every quota but concurrency, which [`LimiterBuilder::build`](crate::LimiterBuilder::build)
    /// refuses: a place has to be renewed while its request runs, which is what a lease is, and
    /// leases of places never exceed the limit. Needs tokio to run on. Of `config` the time-out,
    /// the action on failure and the number of nodes count.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::clock::Clock;
    /// use obs_ratelimit::{LeaseConfig, MemoryStore, Policy, Quota};
    ///
    /// let store = Arc::new(MemoryStore::new(Clock::system(), 100));
    /// let payments = Policy::builder("payments", Quota::per_minute(10)).strict(store.clone(), LeaseConfig::new());
    /// let reads = Policy::builder("reads", Quota::per_minute(10_000)).leased(store, LeaseConfig::new());
    /// assert!(payments.build().is_ok() && reads.build().is_ok());
    /// ```
    #[cfg(feature = "shared")]
    pub fn strict(
        mut self,
        store: Arc<dyn crate::store::Store>,
        config: crate::LeaseConfig,
    ) -> Self {
        self.0.mode = Mode::Strict(store, config);
        self
    }

    /// Checks and builds.
    ///
    /// # Errors
    /// [`ConfigError`] names the field and its value: `name`, `limit`, `period`, `burst`, `key`,
    /// `overrides` or `max_keys`.
    pub fn build(self) -> Result<Policy, ConfigError> {
        let policy = self.0;
        check_name(&policy.name)?;
        policy.quota.plan()?;
        policy.key.check()?;
        policy.override_key.as_ref().map_or(Ok(()), Key::check)?;
        policy.overrides.check(policy.override_key.as_ref().unwrap_or(&policy.key))?;
        if policy.max_keys == 0 || policy.max_keys > 1 << 28 {
            let rule = "must be between 1 and 268435456";
            return Err(ConfigError::new("max_keys", policy.max_keys, rule));
        }
        Ok(policy)
    }
}

/// The name stands in a structured-field string, so what would need escaping is refused.
fn check_name(name: &str) -> Result<(), ConfigError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(ConfigError::new("name", name, "must be 1 to 64 of [A-Za-z0-9._:/-]"));
    }
    Ok(())
}

/// Where a policy's counts are kept.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    Local,
    #[cfg(feature = "shared")]
    Leased(Arc<dyn crate::store::Store>, crate::LeaseConfig),
    #[cfg(feature = "shared")]
    Strict(Arc<dyn crate::store::Store>, crate::LeaseConfig),
}

impl Mode {
    pub(crate) const fn is_shared(&self) -> bool {
        !matches!(self, Self::Local)
    }

    /// Whether every charge is one of the store.
    pub(crate) const fn is_strict(&self) -> bool {
        #[cfg(feature = "shared")]
        return matches!(self, Self::Strict(..));
        #[cfg(not(feature = "shared"))]
        false
    }
}

/// Which requests count against a policy.
///
/// Whatever the choice, a running request holds its charge until it ends, so that requests in
/// parallel cannot pass a limit together that they would not pass one after the other.
///
/// ```
/// use obs_ratelimit::{Charge, Key, Policy, Quota};
///
/// // Ten wrong passwords an hour; right ones cost nothing.
/// let logins = Policy::builder("logins", Quota::per_hour(10))
///     .key(Key::user())
///     .charge(Charge::OnFailure)
///     .build()?;
/// # let _ = logins;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Charge {
    /// Every admitted request.
    #[default]
    Always,
    /// Requests that end in anything but success: failed logins, for instance.
    OnFailure,
    /// Requests that end in success.
    OnSuccess,
}

impl Charge {
    /// Whether a request that ended so keeps its charge.
    pub(crate) fn keeps(self, outcome: Outcome) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => outcome != Outcome::Success,
            Self::OnSuccess => outcome == Outcome::Success,
        }
    }
}

/// What becomes of a request that lacks a part of a policy's key.
///
/// ```
/// use obs_ratelimit::{Key, Limiter, OnMissingKey, Policy, Quota};
///
/// let policy = Policy::builder("tenant", Quota::per_second(100))
///     .key(Key::tenant())
///     .on_missing_key(OnMissingKey::Refuse)
///     .build()?;
/// let (anonymous, ()) = http::Request::get("/orders").body(()).unwrap().into_parts();
/// assert!(!Limiter::new(policy)?.check(&anonymous).is_admitted());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMissingKey {
    /// All such requests share one bucket.
    #[default]
    Share,
    /// The policy does not see it.
    Skip,
    /// It is refused with 429.
    Refuse,
}

/// What a request costs.
#[derive(Clone)]
pub(crate) enum Cost {
    Fixed(u64),
    By(Arc<dyn Fn(&request::Parts) -> u64 + Send + Sync>),
}

impl Cost {
    #[inline]
    pub(crate) fn of(&self, request: &request::Parts) -> u64 {
        match self {
            Self::Fixed(cost) => *cost,
            Self::By(read) => read(request),
        }
    }
}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(cost) => write!(f, "{cost}"),
            Self::By(_) => f.write_str("by request"),
        }
    }
}

/// A question about a request.
#[derive(Clone)]
pub(crate) struct Predicate(pub(crate) Arc<dyn Fn(&request::Parts) -> bool + Send + Sync>);

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl_22_a_name_that_could_break_a_header_is_refused() {
        for name in ["", "a\"b", "a\\b", "a\r\nx: y", "é", "a b", &"x".repeat(65)] {
            let error = Policy::builder(name, Quota::per_second(1)).build().unwrap_err();
            assert_eq!(error.field(), "name");
        }
    }
}
