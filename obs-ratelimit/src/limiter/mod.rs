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
mod tally;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::request;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use smallvec::SmallVec;

pub use acquire::Acquired;
pub use builder::LimiterBuilder;
pub use cost::RequestCost;
pub(crate) use decide::{Decision, Denied, Passed, Pending, PolicyReport};
pub use key::{KeyInStore, Peek};
pub(crate) use refusal::Prebuilt;
pub(crate) use reservation::Reservation;
pub(crate) use tally::Tally;

use crate::engine::{Engine, Reason, Subject, Tell};
use crate::headers::Headers;
use crate::key::{Key, KeyBuffer, TableSeed, siphash128};
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
    pub(crate) usual: headers::Usual,
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

/// What keys are hashed with: one secret for this process's tables, one for the fleet's stores.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) table: TableSeed,
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
        if let ([active], None) = (&*self.0.policies, &self.0.skip)
            && active.policy.skip.is_none()
            && let Some(subject) = active.subject(request, &self.0.secret)
        {
            let name = || active.name(request, &self.0.secret);
            return self.charge_key(0, subject, &name, active.policy.cost.of(request));
        }
        match self.decide(request, Tell::Nothing) {
            // It cannot wait for a store; the others do.
            Decision::Pending(_) => Check::ADMITTED,
            Decision::Passed(passed) => {
                if let Some(reservation) = passed.reservation {
                    reservation.keep();
                }
                Check::ADMITTED
            }
            Decision::Denied(denied) => self.refused(&denied),
        }
    }

    /// Decides about one key of one policy, given as the values of its parts, and charges it
    /// `cost`: for messages, jobs and whatever else is no HTTP request.
    ///
    /// It asks that policy alone, and neither its skip list nor its cost. As in
    /// [`check`](Self::check), what is charged stays charged, a place of a concurrency limit is
    /// given back at once, and what would wait for a store passes.
    ///
    /// ```
    /// use obs_ratelimit::{Key, Limiter, Policy, Quota};
    ///
    /// let policy = Policy::builder("tenant", Quota::per_minute(5)).key(Key::tenant()).build()?;
    /// let limiter = Limiter::new(policy)?;
    /// assert!(limiter.check_key("tenant", &["acme"], 3)?.is_admitted());
    /// assert!(!limiter.check_key("tenant", &["acme"], 3)?.is_admitted());
    /// assert!(limiter.check_key("tenant", &["other"], 3)?.is_admitted());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such policy or the values do not fit its key.
    #[inline]
    pub fn check_key(&self, policy: &str, key: &[&str], cost: u64) -> Result<Check, ConfigError> {
        let index = self.index_of(policy)?;
        let active = &self.0.policies[index];
        active.fits(key)?;
        let secret = &self.0.secret;
        let name = || active.name_of(key, secret);
        Ok(self.charge_key(index, active.subject_of(key, secret), &name, cost))
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

    #[inline]
    fn index_of(&self, policy: &str) -> Result<usize, ConfigError> {
        let found = self.0.policies.iter().position(|active| &*active.policy.name == policy);
        found.ok_or_else(|| ConfigError::new("policy", policy, "must be a policy of this limiter"))
    }

    pub(crate) fn active(&self, policy: &str) -> Result<&Active, ConfigError> {
        self.index_of(policy).map(|index| &self.0.policies[index])
    }
}

impl Secret {
    /// The fingerprint of the key that has these values.
    pub(crate) fn fingerprint(&self, key: &Key, values: &[&str]) -> u64 {
        let mut fingerprint = self.table.fingerprint();
        key.encode_values(values, &mut fingerprint);
        fingerprint.finish()
    }

    /// The name of the bucket of a key in a store: the same on every node that has this secret, and
    /// in every version. `encode` tells the key's parts.
    pub(crate) fn name(&self, policy: &str, encode: impl FnOnce(&mut KeyBuffer)) -> StoreKey {
        let mut key = KeyBuffer::new(self.fleet);
        encode(&mut key);
        let mut bytes = SmallVec::<[u8; 512]>::new();
        bytes.push(1);
        bytes.push(policy.len() as u8);
        bytes.extend_from_slice(policy.as_bytes());
        bytes.extend_from_slice(key.as_bytes());
        StoreKey::new(siphash128(self.fleet, &bytes))
    }

    /// The overrides by the fingerprints of their keys.
    pub(crate) fn resolve(&self, key: &Key, overrides: &Overrides) -> Vec<(u64, Limit)> {
        let resolve = |(values, limit): &(Vec<String>, Limit)| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            (self.fingerprint(key, &values), *limit)
        };
        overrides.entries.iter().map(resolve).collect()
    }
}

impl Active {
    /// Checks that a key of this policy can have these values.
    #[inline]
    pub(crate) fn fits(&self, values: &[&str]) -> Result<(), ConfigError> {
        if self.policy.key.fits(values) {
            return Ok(());
        }
        let rule = "must have one value for each part of the key";
        Err(ConfigError::new("key", values.join(", "), rule))
    }

    /// Whether nothing is refused now.
    pub(crate) fn is_shadow(&self, clock: &Clock) -> bool {
        if self.policy.shadow {
            return true;
        }
        let until = self.shadow_until.load(Ordering::Relaxed);
        until > 0 && clock.now().as_nanos() < until
    }

    /// The key of a request under this policy; `None` if it lacks a part and that matters.
    #[inline]
    pub(crate) fn subject(&self, request: &request::Parts, secret: &Secret) -> Option<Subject> {
        let policy = &self.policy;
        let mut key = secret.table.fingerprint();
        policy.key.encode(request, &mut key);
        if key.misses_a_part() && policy.on_missing_key != crate::policy::OnMissingKey::Share {
            return None;
        }
        let fingerprint = key.finish();
        let override_of = match &policy.override_key {
            None => fingerprint,
            Some(of) => {
                let mut key = secret.table.fingerprint();
                of.encode(request, &mut key);
                key.finish()
            }
        };
        Some(Subject { fingerprint, override_of })
    }

    /// The key that has these values; they must fit.
    #[inline]
    pub(crate) fn subject_of(&self, values: &[&str], secret: &Secret) -> Subject {
        let key = &self.policy.key;
        let fingerprint = secret.fingerprint(key, values);
        let of = self.policy.override_key.as_ref();
        let override_of = of.and_then(|of| {
            let values = key.values_of(of, values)?;
            Some(secret.fingerprint(of, &values))
        });
        Subject { fingerprint, override_of: override_of.unwrap_or(fingerprint) }
    }

    /// The name of a request's key in a store.
    pub(crate) fn name(&self, request: &request::Parts, secret: &Secret) -> StoreKey {
        secret.name(self.policy.name(), |into| self.policy.key.encode(request, into))
    }

    /// The name in a store of the key that has these values.
    pub(crate) fn name_of(&self, values: &[&str], secret: &Secret) -> StoreKey {
        secret.name(self.policy.name(), |into| self.policy.key.encode_values(values, into))
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
    const ADMITTED: Self = Self { refused_by: None, retry_after: None };

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
