use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::admission::Refused;
use super::hold::{Holds, Shared};
use super::machine::Machine;
use super::sync::Ordering;
use super::transition::Listener;
use super::{
    CallError, CircuitBreakerBuilder, CircuitBreakerConfig, NotPermitted, Permit, State, Totals,
    Transition, shard,
};
use crate::clock::{Clock, Instant};
use crate::config::ConfigError;
use crate::deadline::Deadline;
use crate::outcome::Outcome;

/// A handle to a circuit breaker; clones are the same breaker.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::circuit::{CallError, CircuitBreaker, State};
/// use obs_core::outcome::Outcome;
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
///
/// // Around a call that is a future,
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let stock = breaker.call(async { Ok::<_, std::io::Error>(7) }).await;
/// assert_eq!(stock?, 7);
/// # Ok::<_, CallError<std::io::Error>>(()) })?;
///
/// // or by hand, where the call is something else.
/// let permit = breaker.try_acquire()?;
/// permit.settle(Outcome::Success);
/// assert_eq!(breaker.counters().failed, 0);
///
/// // An operator may take it over for a time.
/// breaker.force_open(Some(Duration::from_secs(60)));
/// assert_eq!(breaker.state(), State::ForcedOpen);
/// assert!(breaker.try_acquire().is_err());
/// assert!(breaker.remaining() > Some(Duration::from_secs(30)));
/// breaker.close();
/// assert_eq!(breaker.transitions().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CircuitBreaker(Arc<Holds>);

/// What happened since the breaker was built.
///
/// ```
/// use obs_core::circuit::CircuitBreaker;
/// use obs_core::outcome::Outcome;
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// breaker.try_acquire()?.settle(Outcome::ServerError);
/// breaker.force_open(None);
/// assert!(breaker.try_acquire().is_err());
///
/// let counters = breaker.counters();
/// assert_eq!((counters.failed, counters.not_permitted), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Failed calls.
    pub failed: u64,
    /// Slow calls, failed or not.
    pub slow: u64,
    /// Calls that said nothing about the other side, cancelled ones among them.
    pub ignored: u64,
    /// Calls refused, or that would have been in shadow mode.
    pub not_permitted: u64,
    /// Calls that ended in another state than they were admitted in.
    pub outdated: u64,
}

impl CircuitBreaker {
    pub(super) fn new(machine: Machine, clock: Clock) -> Self {
        Self(Arc::new(Holds::new(machine, clock)))
    }

    /// Builds a breaker; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name.into())
    }

    #[inline]
    fn shared(&self) -> &Shared {
        &self.0.shared
    }

    #[inline]
    pub(super) fn machine(&self) -> &Machine {
        &self.shared().machine
    }

    /// Handles to this breaker that exist, permits included.
    pub(super) fn handles(&self) -> usize {
        Arc::strong_count(&self.0) + self.0.held()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.machine().name
    }

    /// The clock it was built with.
    #[inline]
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared().clock
    }

    /// The present state. An open breaker whose wait is over stays open until the next call.
    #[must_use]
    pub fn state(&self) -> State {
        self.machine().state()
    }

    /// Asks to make a call now, under the [current deadline](Deadline::current) if there is one.
    ///
    /// # Errors
    /// [`NotPermitted`] when it is open, forced open, or half-open with all probes under way.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, NotPermitted> {
        self.try_acquire_at(self.clock().coarse(), Deadline::current())
    }

    /// Asks to make a call at a time already read from the breaker's clock.
    ///
    /// ```
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_core::outcome::Outcome;
    ///
    /// let breaker = CircuitBreaker::builder("inventory").build()?;
    /// let now = breaker.clock().now();
    /// breaker.try_acquire_at(now, None)?.settle_at(Outcome::Success, breaker.clock().now());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`CircuitBreaker::try_acquire`].
    #[inline]
    pub fn try_acquire_at(
        &self,
        now: Instant,
        deadline: Option<Deadline>,
    ) -> Result<Permit, NotPermitted> {
        let mut permit = self.try_begin_at(now)?;
        permit.waits(deadline);
        Ok(permit)
    }

    /// Asks to make a call that may be answered at once, at a time already read from the breaker's
    /// clock. If it is not, say so by [`Permit::waits`]: until then it has no deadline and is not
    /// in flight, so that nobody notices if it hangs.
    ///
    /// ```
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_core::outcome::Outcome;
    ///
    /// let breaker = CircuitBreaker::builder("inventory").build()?;
    /// let mut permit = breaker.try_begin_at(breaker.clock().now())?;
    /// // The answer is not there at once.
    /// permit.waits(None);
    /// permit.settle(Outcome::Success);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`CircuitBreaker::try_acquire`].
    #[inline]
    pub fn try_begin_at(&self, now: Instant) -> Result<Permit, NotPermitted> {
        let shard = shard::of_this_thread();
        match self.machine().admit(shard, now, self.clock()) {
            Ok(ticket) => Ok(Permit::new(self.0.of(shard), ticket)),
            Err(refused) => Err(self.not_permitted(refused)),
        }
    }

    #[cold]
    fn not_permitted(&self, refused: Refused) -> NotPermitted {
        let Refused { state, retry_after } = refused;
        NotPermitted { name: Arc::clone(self.name()), state, retry_after }
    }

    /// Makes a call through the breaker: an `Ok` is a success, an `Err` a failure.
    ///
    /// Dropping the returned future is a cancelled call; see [`Permit`].
    ///
    /// # Errors
    /// [`CallError::NotPermitted`] without polling `call`, or [`CallError::Inner`].
    pub async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        let outcome = |result: &Result<T, E>| match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::ServiceError,
        };
        self.call_judged_by(outcome, call).await
    }

    /// Makes a call through the breaker; `outcome` says how its result is to be read.
    ///
    /// Dropping the returned future is a cancelled call; see [`Permit`].
    ///
    /// ```
    /// # use obs_core::{circuit::{CallError, CircuitBreaker}, outcome::Outcome};
    /// # async fn example(breaker: CircuitBreaker) -> Result<(), CallError<std::io::Error>> {
    /// // A missing row says that the database works.
    /// let judge = |result: &Result<u32, std::io::Error>| match result {
    ///     Ok(_) => Outcome::Success,
    ///     Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::ClientError,
    ///     Err(_) => Outcome::ServiceError,
    /// };
    /// let stock = breaker.call_judged_by(judge, async { Ok(7) }).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`CircuitBreaker::call`].
    pub async fn call_judged_by<T, E>(
        &self,
        outcome: impl FnOnce(&Result<T, E>) -> Outcome,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        let permit = self.try_acquire().map_err(CallError::NotPermitted)?;
        let result = call.await;
        permit.settle(outcome(&result));
        result.map_err(CallError::Inner)
    }

    /// Closes it, whatever its state, with an empty window.
    pub fn close(&self) {
        self.enter(State::Closed, None, None);
    }

    /// Refuses all calls, for `ttl` or until another order.
    pub fn force_open(&self, ttl: Option<Duration>) {
        self.enter(State::ForcedOpen, ttl, None);
    }

    /// Lets all calls pass uncounted, for `ttl` or until another order.
    pub fn disable(&self, ttl: Option<Duration>) {
        self.enter(State::Disabled, ttl, None);
    }

    /// Lets all calls pass and counts them, for `ttl` or until another order.
    pub fn metrics_only(&self, ttl: Option<Duration>) {
        self.enter(State::MetricsOnly, ttl, None);
    }

    pub(super) fn enter(&self, state: State, ttl: Option<Duration>, note: Option<Arc<str>>) {
        self.machine().force(state, ttl, note, self.shared().clock.now(), &self.shared().clock);
    }

    /// The configuration in force.
    pub fn config(&self) -> CircuitBreakerConfig {
        self.machine().config()
    }

    /// Changes the configuration from the next call on; calls under way go on.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::sync::Arc;
    ///
    /// use obs_core::circuit::{CircuitBreaker, State};
    ///
    /// let breaker = CircuitBreaker::builder("inventory").build()?;
    /// let changes = Arc::new(AtomicU32::new(0));
    /// let seen = changes.clone();
    /// breaker.on_transition(move |_| { seen.fetch_add(1, Ordering::Relaxed); });
    ///
    /// breaker.reconfigure(breaker.config().minimum_number_of_calls(50))?;
    /// assert!(breaker.reconfigure(breaker.config().failure_rate_threshold(200.0)).is_err());
    ///
    /// breaker.disable(None);
    /// breaker.metrics_only(None);
    /// assert_eq!(breaker.state(), State::MetricsOnly);
    /// assert_eq!(changes.load(Ordering::Relaxed), 2);
    /// assert_eq!((&**breaker.name(), breaker.totals().calls), ("inventory", 0));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] when a value breaks a rule, when the window would change, or when
    /// the slow threshold would more than double what it was built with or turn on; nothing
    /// has changed then.
    pub fn reconfigure(&self, config: CircuitBreakerConfig) -> Result<(), ConfigError> {
        self.update(|_| Ok(config))
    }

    /// Puts what `change` makes of the configuration in its place. It runs under the lock.
    pub(super) fn update<E: From<ConfigError>>(
        &self,
        change: impl FnOnce(CircuitBreakerConfig) -> Result<CircuitBreakerConfig, E>,
    ) -> Result<(), E> {
        self.machine().update_config(change)
    }

    /// Calls `listener` after each further transition, as
    /// [`CircuitBreakerBuilder::on_transition`] does.
    pub fn on_transition(&self, listener: impl Fn(&Transition) + Send + Sync + 'static) {
        self.machine().add_listener(Listener(Arc::new(listener)));
    }

    /// The last 16 transitions, oldest first.
    #[must_use]
    pub fn transitions(&self) -> Vec<Transition> {
        self.machine().history()
    }

    /// What the window holds now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.machine().totals(self.shared().clock.now())
    }

    /// What happened since the breaker was built.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let counts = &self.machine().counts;
        Counters {
            failed: counts.failed.load(Ordering::Relaxed),
            slow: counts.slow.load(Ordering::Relaxed),
            ignored: counts.ignored.load(Ordering::Relaxed),
            not_permitted: counts.not_permitted.load(Ordering::Relaxed),
            outdated: counts.outdated.load(Ordering::Relaxed),
        }
    }

    /// The rest of the open wait, or of an operator's override; `None` without one.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.machine().remaining(self.shared().clock.now())
    }
}
