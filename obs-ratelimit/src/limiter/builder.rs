use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::request;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::metric::{Descriptor, Recorder, Unit};

use super::headers::Usual;
use super::{Active, Counters, Inner, Limiter, Prebuilt, Secret, Tally};
use crate::engine::{Engine, advertised, keyed};
use crate::headers::Headers;
use crate::key::TableSeed;
use crate::local::Timer;
use crate::overrides::Limit;
use crate::policy::{Charge, Mode, Policy, Predicate};
use crate::quota::Plan;

static DECISIONS: Descriptor =
    Descriptor::new("RateLimitDecisions", Unit::Count, "Decisions of a rate limit by outcome");

static FALLBACKS: Descriptor =
    Descriptor::new("RateLimitFallbacks", Unit::Count, "Decisions made without the store, by step");

/// Room for the keys of a limit per route or method: routes are written, not sent.
const BOUNDED_KEYS: usize = 4_096;

/// Builds a [`Limiter`].
///
/// ```
/// use obs_core::clock::ManualClock;
/// use obs_ratelimit::{Headers, Key, Limiter, Policy, Quota};
///
/// let clock = ManualClock::default();
/// let limiter = Limiter::builder()
///     .name("public-api")
///     .policy(Policy::builder("tenant", Quota::per_second(100)).key(Key::tenant()).build()?)
///     .policy(Policy::builder("all", Quota::per_second(10_000)).build()?)
///     .clock(clock.clock())
///     // The same in the whole fleet, so that its members name a key alike in a store.
///     .fleet_secret(*b"sixteen bytes...")
///     .table_seed(7)
///     .headers(Headers::none())
///     .skip(|request| request.uri.path() == "/live")
///     .build()?;
/// assert_eq!(limiter.name(), "public-api");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct LimiterBuilder {
    name: Arc<str>,
    policies: Vec<Policy>,
    clock: Clock,
    recorder: Option<Arc<dyn Recorder>>,
    seed: Option<u64>,
    fleet_secret: Option<[u64; 2]>,
    headers: Headers,
    skip: Option<Predicate>,
}

impl Default for LimiterBuilder {
    fn default() -> Self {
        Self {
            name: Arc::from("rate_limit"),
            policies: Vec::new(),
            clock: Clock::system(),
            recorder: None,
            seed: None,
            fleet_secret: None,
            headers: Headers::default(),
            skip: None,
        }
    }
}

impl LimiterBuilder {
    /// The name under which the limiter is registered as a control. Default `rate_limit`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a policy. They are asked in the order in which they are added; at least 1, at most 32.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policies.push(policy);
        self
    }

    /// The clock. Default [`Clock::system`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where decisions are counted: `RateLimitDecisions` by `Policy` and `Decision`. Default
    /// nowhere.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_ratelimit::{Limiter, Policy, Quota};
    /// # use obs_core::metric::{Counter, Descriptor, Gauge, Histogram, Label, Recorder};
    /// # #[derive(Debug)]
    /// # struct NoMetrics;
    /// # impl Recorder for NoMetrics {
    /// #     fn counter(&self, _: &Descriptor, _: &[Label<'_>]) -> Counter { Counter::disabled() }
    /// #     fn gauge(&self, _: &Descriptor, _: &[Label<'_>]) -> Gauge { Gauge::disabled() }
    /// #     fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram { Histogram::disabled() }
    /// # }
    ///
    /// let limiter = Limiter::builder()
    ///     .policy(Policy::builder("all", Quota::per_second(100)).build()?)
    ///     .recorder(Arc::new(NoMetrics))
    ///     .build()?;
    /// # let _ = limiter;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The seed of the hash that places keys in tables. Default random, for a caller who knew it
    /// could choose keys that share a place; set it only where runs must repeat.
    pub const fn table_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The secret that names keys in stores; needed by policies that use one. Default: none, with
    /// which such a policy is refused.
    ///
    /// Every node of the fleet must have the same, and two fleets that share a table must not.
    /// Without it the keys of a store cannot be turned back into tenants or addresses.
    pub fn fleet_secret(mut self, secret: [u8; 16]) -> Self {
        let (low, high) = secret.split_at(8);
        let word = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("half of 16 bytes"));
        self.fleet_secret = Some([word(low), word(high)]);
        self
    }

    /// The response headers. Default [`Headers::default`].
    pub const fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Requests that no policy sees, such as health probes. Default: none.
    pub fn skip(mut self, skip: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        self.skip = Some(Predicate(Arc::new(skip)));
        self
    }

    /// Checks and builds; takes the memory of all tables.
    ///
    /// # Errors
    /// [`ConfigError`] for no policy or more than 32, for two policies of the same name, and for
    /// an override of another kind than its policy's quota.
    pub fn build(self) -> Result<Limiter, ConfigError> {
        let names: Vec<&str> = self.policies.iter().map(Policy::name).collect();
        if names.is_empty() || names.len() > 32 {
            return Err(ConfigError::new("policies", names.len(), "must be between 1 and 32"));
        }
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(ConfigError::new("policies", name, "must have different names"));
            }
        }
        let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
        let (hasher, shared) = self.seed.map_or_else(|| (random(), random()), |seed| (seed, !seed));
        let table = TableSeed::new(hasher, shared);
        let secret = Secret { table, fleet: self.fleet_secret.unwrap_or_default() };
        let timer = Arc::new(Timer::new(self.clock));
        let has_secret = self.fleet_secret.is_some();
        let activate = |policy: Policy| {
            let key = policy.override_key.as_ref().unwrap_or(&policy.key);
            let overrides = secret.resolve(key, &policy.overrides);
            let keys = match policy.key.is_global() {
                true => 1,
                false if policy.key.is_bounded() => policy.max_keys.min(BOUNDED_KEYS),
                false => policy.max_keys,
            };
            let engine = engine(&policy, overrides, keys, timer.clone(), has_secret)?;
            let holds_places = matches!(policy.quota.plan()?, Plan::Concurrency(_));
            let settles = policy.charge != Charge::Always
                || policy.refund_on_cancel
                || policy.late_cost
                || holds_places;
            let counters = counters(self.recorder.as_deref(), &policy);
            let prebuilt = Prebuilt::new(&policy);
            let names_charges = policy.mode.is_strict() || policy.late_cost;
            Ok(Active {
                policy,
                engine,
                counters,
                settles,
                holds_places,
                names_charges,
                prebuilt,
                shadow_until: AtomicU64::new(0),
            })
        };
        let late_cost = self.policies.iter().any(|policy| policy.late_cost);
        let quotas = self.policies.iter().map(|policy| advertised(policy.quota));
        let quotas = quotas.collect::<Result<_, ConfigError>>()?;
        let policies: Box<[Active]> =
            self.policies.into_iter().map(activate).collect::<Result<_, ConfigError>>()?;
        let usual = Usual::new(&policies, quotas);
        let recorder = self.recorder.as_deref();
        let fallbacks = ["share", "reuse", "open", "closed"].map(|step| match recorder {
            None => Tally::default(),
            Some(recorder) => Tally::new(recorder.counter(&FALLBACKS, &[("Step", step)])),
        });
        let (name, headers, skip) = (self.name, self.headers, self.skip);
        Ok(Limiter(Arc::new(Inner {
            name,
            policies,
            secret,
            headers,
            usual,
            timer,
            skip,
            late_cost,
            peeked: Arc::default(),
            fallbacks,
        })))
    }
}

/// The engine of a policy: in this process, or over its store.
#[cfg_attr(not(feature = "shared"), allow(unused_variables))]
fn engine(
    policy: &Policy,
    overrides: Vec<(u64, Limit)>,
    keys: usize,
    timer: Arc<Timer>,
    has_secret: bool,
) -> Result<Box<dyn Engine>, ConfigError> {
    let quota = policy.quota;
    match &policy.mode {
        Mode::Local => keyed(quota, overrides, keys, policy.key.is_bounded(), timer),
        #[cfg(feature = "shared")]
        Mode::Leased(..) | Mode::Strict(..) if !has_secret => {
            let rule = "must be set for policies that use a store";
            Err(ConfigError::new("fleet_secret", "unset", rule))
        }
        #[cfg(feature = "shared")]
        Mode::Leased(store, config) => {
            crate::engine::leased(store.clone(), *config, quota, overrides, keys, timer)
        }
        #[cfg(feature = "shared")]
        Mode::Strict(store, config) => {
            crate::engine::strict(store.clone(), *config, quota, overrides, keys, timer)
        }
    }
}

fn counters(recorder: Option<&dyn Recorder>, policy: &Policy) -> Counters {
    let Some(recorder) = recorder else { return Counters::default() };
    let counter = |decision| {
        let labels = [("Policy", policy.name()), ("Decision", decision)];
        Tally::new(recorder.counter(&DECISIONS, &labels))
    };
    Counters {
        admitted: counter("admitted"),
        limit: counter("refused_limit"),
        other: counter("refused_other"),
        shadow: counter("shadow_refused"),
    }
}
