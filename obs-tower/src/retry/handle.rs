use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::context::RequestContext;
use obs_core::control::{Registry, check_name};
use obs_core::metric::{Counter, Descriptor, Recorder, Unit};
use obs_core::random::Random;

use super::{RetryBudget, RetryConfig};
use crate::deadline::inherited;

static RETRIES: Descriptor =
    Descriptor::new("Retries", Unit::Count, "Retries by what became of them");

/// A handle to a retry policy and its budget; clones are the same.
///
/// ```
/// use obs_tower::retry::{Retry, RetryConfig};
///
/// let retry = Retry::builder("inventory").build()?;
/// assert_eq!(&**retry.name(), "inventory");
/// assert_eq!(retry.counters().made, 0);
/// assert!(retry.budget().tokens() > 0);
/// retry.reconfigure(retry.config().max_attempts(2))?;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Retry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    clock: Clock,
    random: Random,
    budget: RetryBudget,
    /// What every call looks at; the rest only matters when something has failed.
    max_attempts: AtomicU32,
    max_replay_bytes: AtomicUsize,
    config: RwLock<RetryConfig>,
    counts: [AtomicU64; 4],
    series: [Counter; 4],
}

/// What became of a wish to retry.
#[derive(Clone, Copy)]
enum Fate {
    Made,
    OverBudget,
    TooLate,
    LastAttempt,
}

/// What happened since the policy was built.
///
/// ```
/// use obs_tower::retry::Retry;
///
/// let counters = Retry::builder("inventory").build()?.counters();
/// assert_eq!((counters.made, counters.over_budget), (0, 0));
/// assert_eq!((counters.too_late, counters.exhausted), (0, 0));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryCounters {
    /// Retries made, or that would have been in shadow mode.
    pub made: u64,
    /// Retries that the budget forbade.
    pub over_budget: u64,
    /// Retries for which the deadline left no time.
    pub too_late: u64,
    /// Calls that failed at their last attempt.
    pub exhausted: u64,
}

/// What the caller of [`Retry::run`] makes of a result.
///
/// ```
/// use std::io;
/// use std::time::Duration;
///
/// use obs_tower::retry::Advice;
///
/// fn advice(result: &Result<u32, io::Error>) -> Advice {
///     match result {
///         Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Advice::retry(),
///         Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
///             Advice::overloaded().not_before(Some(Duration::from_secs(1)))
///         }
///         _ => Advice::done(),
///     }
/// }
/// # let _ = advice;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Advice {
    retry: bool,
    cost: u32,
    not_before: Option<Duration>,
}

impl Advice {
    /// It stays as it is.
    pub const fn done() -> Self {
        Self { retry: false, cost: 1, not_before: None }
    }

    /// A further attempt may help.
    pub const fn retry() -> Self {
        Self { retry: true, cost: 1, not_before: None }
    }

    /// The other side is overloaded or did not answer in time: a retry costs double.
    pub const fn overloaded() -> Self {
        Self { retry: true, cost: 2, not_before: None }
    }

    /// The other side asked to wait this long.
    pub const fn not_before(mut self, wait: Option<Duration>) -> Self {
        self.not_before = wait;
        self
    }

    pub(super) const fn wants_retry(self) -> bool {
        self.retry
    }
}

impl Retry {
    /// Builds a policy; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> RetryBuilder {
        RetryBuilder {
            name: name.into(),
            config: RetryConfig::default(),
            clock: Clock::system(),
            seed: None,
            series: Default::default(),
            controls: None,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The configuration in force.
    pub fn config(&self) -> RetryConfig {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The budget.
    #[must_use]
    pub fn budget(&self) -> &RetryBudget {
        &self.0.budget
    }

    #[cfg(test)]
    #[cfg(not(obs_loom))]
    pub(super) fn lock_config(&self) -> std::sync::RwLockWriteGuard<'_, RetryConfig> {
        self.0.config.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Changes the configuration from the next attempt on. The budget starts full if its rules
    /// have changed, and goes on otherwise.
    ///
    /// # Errors
    /// [`ConfigError`] when a value breaks a rule; nothing has changed then.
    pub fn reconfigure(&self, config: RetryConfig) -> Result<(), ConfigError> {
        self.update(|_| Ok(config))
    }

    /// Puts what `change` makes of the configuration in its place; nobody else changes it meanwhile.
    pub(super) fn update<E: From<ConfigError>>(
        &self,
        change: impl FnOnce(RetryConfig) -> Result<RetryConfig, E>,
    ) -> Result<(), E> {
        let mut current = self.0.config.write().unwrap_or_else(PoisonError::into_inner);
        let config = change(current.clone())?;
        config.validate()?;
        let same_budget = current.budget_reserve == config.budget_reserve
            && current.budget_ratio.to_bits() == config.budget_ratio.to_bits();
        if !same_budget {
            self.0.budget.set(config.budget_ratio, config.budget_reserve);
        }
        self.0.max_attempts.store(config.max_attempts, Ordering::Relaxed);
        self.0.max_replay_bytes.store(config.max_replay_bytes, Ordering::Relaxed);
        *current = config;
        Ok(())
    }

    /// What happened since the policy was built.
    #[must_use]
    pub fn counters(&self) -> RetryCounters {
        let count = |fate: Fate| self.0.counts[fate as usize].load(Ordering::Relaxed);
        RetryCounters {
            made: count(Fate::Made),
            over_budget: count(Fate::OverBudget),
            too_late: count(Fate::TooLate),
            exhausted: count(Fate::LastAttempt),
        }
    }

    fn count(&self, fate: Fate) {
        self.0.counts[fate as usize].fetch_add(1, Ordering::Relaxed);
        self.0.series[fate as usize].add(1);
    }

    /// Counts a call; whether it may be followed by retries, and how much of its body to keep.
    #[inline]
    pub(super) fn begin(&self) -> (bool, usize) {
        self.0.budget.deposit();
        (self.may_follow(1), self.0.max_replay_bytes.load(Ordering::Relaxed))
    }

    pub(super) fn may_follow(&self, attempt: u32) -> bool {
        attempt < self.0.max_attempts.load(Ordering::Relaxed)
    }

    /// The wait before the attempt after `attempt`, 1 for the first; `None` if there is to be none.
    pub(super) fn wait_after(&self, attempt: u32, advice: Advice) -> Option<Duration> {
        if !advice.retry {
            return None;
        }
        let config = self.config();
        if attempt >= config.max_attempts {
            self.count(Fate::LastAttempt);
            return None;
        }
        let wait = config.backoff.wait(attempt, config.jitter, self.0.random.next_f64());
        let asked = advice.not_before.map_or(wait, |asked| asked.min(config.backoff.longest()));
        let wait = wait.max(asked);
        let rest = inherited().map(|deadline| deadline.remaining(self.0.clock.now()));
        if rest.is_some_and(|rest| rest < wait + config.minimum_useful_time) {
            self.count(Fate::TooLate);
            return None;
        }
        if !self.0.budget.withdraw(advice.cost) {
            self.count(Fate::OverBudget);
            return None;
        }
        self.count(Fate::Made);
        (!config.shadow).then_some(wait)
    }

    /// Calls `call`, with the number of the attempt, until `advice` is content with the result or
    /// no further attempt is allowed, and returns the last result.
    ///
    /// The operation must be idempotent. Dropping the future makes no further attempt. While it
    /// runs on behalf of a request that a tier further out repeats, it makes one attempt.
    ///
    /// ```
    /// use obs_tower::retry::{Advice, Retry};
    ///
    /// # async fn example(retry: Retry) -> Result<u32, std::io::Error> {
    /// let stock = retry
    ///     .run(
    ///         |_attempt| async { Ok::<_, std::io::Error>(7) },
    ///         |result| match result {
    ///             Err(e) if e.kind() == std::io::ErrorKind::TimedOut => Advice::overloaded(),
    ///             Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => Advice::retry(),
    ///             _ => Advice::done(),
    ///         },
    ///     )
    ///     .await?;
    /// # Ok(stock) }
    /// ```
    ///
    /// Dropped, it drops the attempt under way, and makes no other.
    ///
    /// # Errors
    /// That of the last attempt.
    pub async fn run<T, E, F>(
        &self,
        mut call: impl FnMut(u32) -> F,
        mut advice: impl FnMut(&Result<T, E>) -> Advice,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.begin();
        let mut attempt = 1;
        loop {
            let result = call(attempt).await;
            let advice = advice(&result);
            if !advice.retry || is_repeated_further_out() {
                return result;
            }
            match self.wait_after(attempt, advice) {
                None => return result,
                Some(wait) => tokio::time::sleep(wait).await,
            }
            attempt += 1;
        }
    }
}

/// Whether the current request came with a number of its attempt: then its caller repeats it.
pub(super) fn is_repeated_further_out() -> bool {
    RequestContext::with_current(RequestContext::attempt).flatten().is_some()
}

/// Builds a [`Retry`].
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::control::{Kind, Registry};
/// use obs_core::metric;
/// use obs_tower::retry::{Retry, RetryConfig};
///
/// let controls = Registry::default();
/// let retry = Retry::builder("inventory")
///     .config(RetryConfig::new().max_attempts(2))
///     .clock(Clock::system())
///     .seed(7)
///     .recorder(metric::disabled())
///     .controls(&controls)
///     .build()?;
/// assert!(controls.get(Kind::Retry, retry.name()).is_some());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct RetryBuilder {
    name: Arc<str>,
    config: RetryConfig,
    clock: Clock,
    seed: Option<u64>,
    series: [Counter; 4],
    controls: Option<Registry>,
}

impl RetryBuilder {
    /// How often, how fast and how much in all. Default: the defaults of
    /// [`RetryConfig`](super::RetryConfig).
    pub fn config(mut self, config: RetryConfig) -> Self {
        self.config = config;
        self
    }

    /// The clock by which deadlines are read. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the jitter repeatable. Default: at random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Records `Retries` by `Retry` and `Result`. Default nowhere.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        let results = ["made", "over_budget", "too_late", "exhausted"];
        self.series = results
            .map(|result| recorder.counter(&RETRIES, &[("Retry", &self.name), ("Result", result)]));
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
    /// [breaks a rule](RetryConfig::validate).
    pub fn build(self) -> Result<Retry, ConfigError> {
        check_name(&self.name)?;
        self.config.validate()?;
        let budget = RetryBudget::new(self.config.budget_ratio, self.config.budget_reserve)?;
        let retry = Retry(Arc::new(Shared {
            name: self.name,
            clock: self.clock,
            random: self.seed.map_or_else(Random::system, Random::seeded),
            budget,
            max_attempts: AtomicU32::new(self.config.max_attempts),
            max_replay_bytes: AtomicUsize::new(self.config.max_replay_bytes),
            config: RwLock::new(self.config),
            counts: Default::default(),
            series: self.series,
        }));
        if let Some(registry) = self.controls {
            registry.register(Arc::new(retry.clone()));
        }
        Ok(retry)
    }
}
