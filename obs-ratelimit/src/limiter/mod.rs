//! Several policies as one limit.

mod acquire;
mod admit;
mod builder;
mod control;
mod cost;
mod decide;
mod headers;
mod key;
mod pending;
mod refusal;
mod reservation;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::request;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::metric::Counter;
use smallvec::SmallVec;

pub use acquire::Acquired;
pub use builder::LimiterBuilder;
pub use cost::RequestCost;
pub(crate) use decide::{Decision, Denied, Passed, Pending, PolicyReport};
pub use key::{KeyInStore, Peek};
pub(crate) use refusal::Prebuilt;
pub(crate) use reservation::Reservation;

use crate::engine::{Engine, Reason, Subject, Tell};
use crate::headers::Headers;
use crate::key::{Key, KeyBuffer, siphash128};
use crate::local::Timer;
use crate::overrides::{Limit, Overrides};
use crate::policy::Policy;
use crate::quota::Quota;
use crate::store::StoreKey;

/// Policies that decide together: a request passes if all of them admit it, and only then counts
/// against any of them.
///
/// Clones share their state. Deciding takes no lock that is held for longer than one decision,
/// does not block and, unless response headers are wanted, does not allocate.
///
/// ```
/// use obs_ratelimit::{Key, Limiter, Policy, Quota};
///
/// let limiter = Limiter::builder()
///     .policy(Policy::builder("tenant", Quota::per_second(1)).key(Key::tenant()).build()?)
///     .policy(Policy::builder("all", Quota::per_second(10_000)).build()?)
///     .build()?;
///
/// let (request, ()) = http::Request::get("/orders").body(()).unwrap().into_parts();
/// assert!(limiter.check(&request).is_admitted());
/// assert!(!limiter.check(&request).is_admitted());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Limiter(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) name: Arc<str>,
    pub(crate) policies: Box<[Active]>,
    pub(crate) secret: Secret,
    pub(crate) headers: Headers,
    pub(crate) timer: Arc<Timer>,
    pub(crate) skip: Option<crate::policy::Predicate>,
    /// Whether a policy learns what a request cost when it is answered.
    pub(crate) late_cost: bool,
    /// Decisions without a store, by the step of the ladder.
    pub(crate) fallbacks: [Tally; 4],
    /// What an operator looked at last.
    pub(crate) peeked: Arc<std::sync::Mutex<Option<(String, Peek)>>>,
}

/// A policy at work.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) policy: Policy,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) counters: Counters,
    /// Whether a request must be told how it ended.
    pub(crate) settles: bool,
    /// Whether a place is held while a request runs.
    pub(crate) holds_places: bool,
    /// Whether a charge can only be settled under the name of its key in the store.
    pub(crate) names_charges: bool,
    /// The answer to a request that this policy alone refuses.
    pub(crate) prebuilt: Prebuilt,
    /// Until when an operator wants nothing refused; 0 for never.
    pub(crate) shadow_until: AtomicU64,
}

/// Decisions of a policy, by outcome and reason.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) admitted: Tally,
    pub(crate) limit: Tally,
    pub(crate) other: Tally,
    pub(crate) shadow: Tally,
}

impl Counters {
    fn refused(&self, reason: Reason, shadow: bool) {
        match (shadow, reason) {
            (true, _) => self.shadow.add(),
            (false, Reason::Limit) => self.limit.add(),
            (false, _) => self.other.add(),
        }
    }
}

/// A count for the control's snapshot and for the metric.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    count: AtomicU64,
    metric: Counter,
}

impl Tally {
    fn new(metric: Counter) -> Self {
        Self { count: AtomicU64::new(0), metric }
    }

    #[inline]
    fn add(&self) {
        // Relaxed: a figure, not an order.
        self.count.fetch_add(1, Ordering::Relaxed);
        self.metric.add(1);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// What keys are hashed with: one secret for this process's tables, one for the fleet's stores.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) table: foldhash::quality::FixedState,
    pub(crate) fleet: [u64; 2],
}

impl Limiter {
    /// Starts a limiter.
    pub fn builder() -> LimiterBuilder {
        LimiterBuilder::default()
    }

    /// A limiter with one policy and every default.
    ///
    /// # Errors
    /// [`ConfigError`] if the policy's overrides cannot be used.
    pub fn new(policy: Policy) -> Result<Self, ConfigError> {
        Self::builder().policy(policy).build()
    }

    /// The name under which it is registered as a control.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Decides about one request, and keeps what it charged.
    ///
    /// It is for callers without the layer and for local policies. Policies that need to know how
    /// a request ended, or that wait for a store, must be asked through the layer, through
    /// [`acquire`](Self::acquire) or through [`Admit`](obs_core::admit::Admit): here a request
    /// that would wait for a store passes.
    pub fn check(&self, request: &request::Parts) -> Check {
        match self.decide(request, Tell::Nothing) {
            // It cannot wait for a store; the others do.
            Decision::Pending(_) => Check { refused_by: None, retry_after: None },
            Decision::Passed(passed) => {
                if let Some(reservation) = passed.reservation {
                    reservation.keep();
                }
                Check { refused_by: None, retry_after: None }
            }
            Decision::Denied(denied) => self.refused(&denied),
        }
    }

    /// What the headers want to know of a decision.
    #[inline]
    pub(crate) fn tell(&self) -> Tell {
        let headers = &self.0.headers;
        match (headers.on_success(), headers.on_refusal()) {
            (true, _) => Tell::Everything,
            (false, true) => Tell::Refusals,
            (false, false) => Tell::Nothing,
        }
    }

    fn refused(&self, denied: &Denied) -> Check {
        Check {
            retry_after: denied.retry_after(),
            refused_by: Some(self.0.policies[denied.first()].policy.name.clone()),
        }
    }

    /// Puts another quota and other overrides in place for a policy, at once and together.
    ///
    /// What keys have used stays used.
    ///
    /// ```
    /// use obs_ratelimit::{Limiter, Overrides, Policy, Quota};
    ///
    /// let limiter = Limiter::new(Policy::builder("all", Quota::per_second(100)).build()?)?;
    /// limiter.replace("all", Quota::per_second(200), &Overrides::new())?;
    /// assert_eq!(limiter.peek("all", &[])?.capacity, 200);
    /// assert!(limiter.replace(limiter.name(), Quota::per_second(0), &Overrides::new()).is_err());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such policy, if the quota cannot be used or is of another
    /// kind than the policy's, or if an override does not fit; nothing has changed then.
    pub fn replace(
        &self,
        policy: &str,
        quota: Quota,
        overrides: &Overrides,
    ) -> Result<(), ConfigError> {
        let active = self.active(policy)?;
        let key = active.policy.override_key.as_ref().unwrap_or(&active.policy.key);
        overrides.check(key)?;
        active.engine.replace(quota, self.0.secret.resolve(key, overrides))
    }

    /// Gives back to the stores what this node has leased and not used; call it when the service
    /// stops. What is not given back expires.
    ///
    /// Cancel-safe: what was not sent yet expires.
    ///
    /// ```
    /// use obs_ratelimit::{Limiter, Policy, Quota};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = Limiter::new(Policy::builder("all", Quota::per_second(100)).build()?)?;
    /// // At the end of a node's life, so that the others need not wait for its leases to end.
    /// limiter.return_leases().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn return_leases(&self) {
        for active in &self.0.policies {
            active.engine.drain().await;
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.timer.clock
    }

    pub(crate) fn active(&self, policy: &str) -> Result<&Active, ConfigError> {
        let found = self.0.policies.iter().find(|active| &*active.policy.name == policy);
        found.ok_or_else(|| ConfigError::new("policy", policy, "must be a policy of this limiter"))
    }
}

impl Secret {
    #[inline]
    pub(crate) fn fingerprint(&self, bytes: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.table.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    /// The name of a key's bucket in a store: the same on every node that has this secret, and in
    /// every version.
    pub(crate) fn shared(&self, policy: &str, key: &[u8]) -> StoreKey {
        let mut bytes = SmallVec::<[u8; 512]>::new();
        bytes.push(1);
        bytes.push(policy.len() as u8);
        bytes.extend_from_slice(policy.as_bytes());
        bytes.extend_from_slice(key);
        StoreKey::new(siphash128(self.fleet, &bytes))
    }

    /// The overrides by the fingerprints of their keys.
    pub(crate) fn resolve(&self, key: &Key, overrides: &Overrides) -> Vec<(u64, Limit)> {
        let resolve = |(values, limit): &(Vec<String>, Limit)| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let key = key.encode_values(&values, self.fleet)?;
            Some((self.fingerprint(key.as_bytes()), *limit))
        };
        overrides.entries.iter().filter_map(resolve).collect()
    }
}

impl Active {
    /// Whether nothing is refused now.
    pub(crate) fn is_shadow(&self, clock: &Clock) -> bool {
        let until = self.shadow_until.load(Ordering::Relaxed);
        self.policy.shadow || (until > 0 && clock.now().as_nanos() < until)
    }

    /// The key of a request under this policy, encoded into `buffer`; `None` if it lacks a part and
    /// that matters.
    #[inline]
    pub(crate) fn subject(
        &self,
        request: &request::Parts,
        secret: &Secret,
        buffer: &mut KeyBuffer,
    ) -> Option<Subject> {
        let policy = &self.policy;
        let override_of = policy.override_key.as_ref().map(|key| {
            key.encode(request, secret.fleet, buffer);
            secret.fingerprint(buffer.as_bytes())
        });
        policy.key.encode(request, secret.fleet, buffer);
        if buffer.is_missing_a_part() && policy.on_missing_key != crate::policy::OnMissingKey::Share
        {
            return None;
        }
        let fingerprint = secret.fingerprint(buffer.as_bytes());
        Some(Subject { fingerprint, override_of: override_of.unwrap_or(fingerprint) })
    }
}

/// The answer of [`Limiter::check`].
///
/// ```
/// use obs_ratelimit::{Limiter, Policy, Quota};
///
/// let limiter = Limiter::new(Policy::builder("all", Quota::per_minute(1).burst(1)).build()?)?;
/// let (request, ()) = http::Request::get("/orders").body(()).unwrap().into_parts();
/// assert!(limiter.check(&request).is_admitted());
///
/// let refused = limiter.check(&request);
/// assert_eq!(refused.refused_by(), Some("all"));
/// assert!(refused.retry_after().is_some_and(|wait| wait.as_secs() >= 59));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Check {
    refused_by: Option<Arc<str>>,
    retry_after: Option<std::time::Duration>,
}

impl Check {
    /// Whether the request may pass.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        self.refused_by.is_none()
    }

    /// The first policy that refused it.
    #[must_use]
    pub fn refused_by(&self) -> Option<&str> {
        self.refused_by.as_deref()
    }

    /// The shortest wait after which the same request could pass; `None` if none is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<std::time::Duration> {
        self.retry_after
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.policies.iter().map(|active| active.policy.name());
        f.debug_struct("Limiter")
            .field("name", &self.0.name)
            .field("policies", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
