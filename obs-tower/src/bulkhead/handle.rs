use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;
use obs_core::control::{Registry, check_name};
use obs_core::deadline::Deadline;
use obs_core::metric::{Counter, Descriptor, Gauge, Recorder, Unit};
use obs_core::outcome::Rejection;

use super::gate::{Entry, Gate};
use super::queue::{Claim, ShareKey, WaiterState};
use super::{BulkheadConfig, Order};
use crate::deadline::inherited;
use crate::priority::Priority;
use crate::reject::Rejected;

static IN_FLIGHT: Descriptor =
    Descriptor::new("BulkheadInFlight", Unit::Count, "Calls inside the bulkhead");
static REJECTED: Descriptor =
    Descriptor::new("BulkheadRejected", Unit::Count, "Calls for which there was no room");

/// A handle to a bulkhead; clones are the same bulkhead.
#[derive(Clone, Debug)]
pub struct Bulkhead(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gate: Gate,
    name: Arc<str>,
    clock: Clock,
    max_wait_nanos: AtomicU64,
    shadow: AtomicBool,
    rejected: AtomicU64,
    hasher: RandomState,
    config: RwLock<BulkheadConfig>,
    in_flight_series: Gauge,
    rejected_series: Counter,
}

/// Where a call stands among the others.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Place<'a> {
    share: Option<Share<'a>>,
    priority: Priority,
}

impl<'a> Place<'a> {
    /// Counts the call into a share.
    pub const fn share(mut self, share: Share<'a>) -> Self {
        self.share = Some(share);
        self
    }

    /// Sets the priority. Default [`Priority::Normal`].
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }
}

/// Whose call it is: a tenant or an operation.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Share<'a> {
    key: &'a str,
    weight: u32,
}

impl<'a> Share<'a> {
    /// The share of `key`, of weight 1.
    pub const fn of(key: &'a str) -> Self {
        Self { key, weight: 1 }
    }

    /// A share of weight 2 gets twice as much of a contended bulkhead as one of weight 1; 0 counts
    /// as 1.
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = if weight == 0 { 1 } else { weight };
        self
    }
}

/// There was no room, or too little time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkheadFull {
    name: Arc<str>,
    too_late: bool,
}

impl fmt::Display for BulkheadFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.too_late { "too little time is left in" } else { "no room in" };
        write!(f, "{why} bulkhead {}", self.name)
    }
}

impl std::error::Error for BulkheadFull {}

impl From<BulkheadFull> for Rejected {
    fn from(full: BulkheadFull) -> Self {
        if full.too_late {
            return Self::new(Rejection::Deadline, full.name);
        }
        Self::new(Rejection::Bulkhead, full.name).retry_after(Some(Duration::from_secs(1)))
    }
}

/// The immediate answer to a call.
pub(crate) enum Admission {
    Admitted(BulkheadPermit),
    Queued(Waiting),
    Full(BulkheadFull),
}

impl Bulkhead {
    /// Builds a bulkhead; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> BulkheadBuilder {
        BulkheadBuilder {
            name: name.into(),
            config: BulkheadConfig::default(),
            clock: Clock::system(),
            in_flight: Gauge::disabled(),
            rejected: Counter::disabled(),
            controls: None,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Calls inside.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.0.gate.in_flight()
    }

    /// Calls in the queue.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.0.gate.waiting()
    }

    /// Shares that have a call inside or in the queue.
    #[must_use]
    pub fn shares(&self) -> usize {
        self.0.gate.shares()
    }

    /// Calls for which there was no room, or too little time.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.0.rejected.load(Ordering::Relaxed)
    }

    /// The configuration in force.
    pub fn config(&self) -> BulkheadConfig {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the configuration from the next call on. A limit below what is inside lets nobody
    /// in until enough have left; nobody is thrown out, and the caller does not wait.
    ///
    /// # Errors
    /// [`ConfigError`] when a value breaks a rule; nothing has changed then.
    pub fn reconfigure(&self, config: BulkheadConfig) -> Result<(), ConfigError> {
        config.validate()?;
        let mut current = self.0.config.write().unwrap_or_else(PoisonError::into_inner);
        self.0.set(&config);
        *current = config;
        drop(current);
        self.0.gate.limits_changed(self.0.clock.now());
        Ok(())
    }

    /// Enters if there is room now.
    ///
    /// # Errors
    /// [`BulkheadFull`] if not.
    pub fn try_acquire(&self, place: Place<'_>) -> Result<BulkheadPermit, BulkheadFull> {
        match self.admit(place, false, self.0.clock.coarse(), inherited()) {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Full(full) => Err(full),
            Admission::Queued(_) => Err(self.full(false)),
        }
    }

    /// Enters, and waits for room as the configuration allows.
    ///
    /// Dropping the future gives the place in the queue up, or the permit if it was just granted.
    ///
    /// # Errors
    /// [`BulkheadFull`] when the wait or the [deadline](inherited) is over or the queue is full.
    pub async fn acquire(&self, place: Place<'_>) -> Result<BulkheadPermit, BulkheadFull> {
        let mut waiting = match self.admit(place, true, self.0.clock.coarse(), inherited()) {
            Admission::Admitted(permit) => return Ok(permit),
            Admission::Full(full) => return Err(full),
            Admission::Queued(waiting) => waiting,
        };
        let mut timer = pin!(tokio::time::sleep(waiting.longest_wait()));
        poll_fn(|context| match waiting.poll(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => timer.as_mut().poll(context).map(|()| Err(waiting.give_up())),
        })
        .await
    }

    #[inline]
    pub(crate) fn admit(
        &self,
        place: Place<'_>,
        may_queue: bool,
        now: Instant,
        deadline: Option<Deadline>,
    ) -> Admission {
        let shared = &*self.0;
        let claim = Claim {
            share: place.share.map(|share| ShareKey {
                key: shared.hasher.hash_one(share.key),
                weight: share.weight.max(1),
            }),
            priority: place.priority,
            deadline,
        };
        let max_wait = shared.max_wait_nanos.load(Ordering::Relaxed);
        // In shadow mode nobody waits: what would wait or be refused is counted and let in.
        let may_queue = may_queue && max_wait > 0 && !shared.shadow.load(Ordering::Relaxed);
        match shared.gate.enter(claim, may_queue, now) {
            Entry::Admitted => Admission::Admitted(self.permit(claim, now)),
            Entry::Queued(index) => Admission::Queued(Waiting {
                bulkhead: self.clone(),
                index: Some(index),
                claim,
                until: Deadline::after(now, Duration::from_nanos(max_wait)),
            }),
            Entry::Full => match self.refuse(false) {
                Some(full) => Admission::Full(full),
                None => {
                    shared.gate.force(claim);
                    Admission::Admitted(self.permit(claim, now))
                }
            },
        }
    }

    #[inline]
    fn permit(&self, claim: Claim, now: Instant) -> BulkheadPermit {
        self.0.in_flight_series.add(1.0);
        BulkheadPermit { bulkhead: self.clone(), share: claim.share, since: now }
    }

    fn full(&self, too_late: bool) -> BulkheadFull {
        BulkheadFull { name: Arc::clone(&self.0.name), too_late }
    }

    /// Counts a refusal; `None` in shadow mode.
    #[cold]
    fn refuse(&self, too_late: bool) -> Option<BulkheadFull> {
        self.0.rejected.fetch_add(1, Ordering::Relaxed);
        self.0.rejected_series.add(1);
        (!self.0.shadow.load(Ordering::Relaxed)).then(|| self.full(too_late))
    }
}

impl Shared {
    fn set(&self, config: &BulkheadConfig) {
        let wait = u64::try_from(config.max_wait_duration.as_nanos()).unwrap_or(u64::MAX);
        let per_share = config.max_concurrent_calls_per_share.unwrap_or(u32::MAX);
        let gate = &self.gate;
        gate.per_share.store(per_share, super::sync::Ordering::Relaxed);
        gate.queue_length.store(config.max_queue_length, super::sync::Ordering::Relaxed);
        gate.lifo.store(u32::from(config.order == Order::Lifo), super::sync::Ordering::Relaxed);
        gate.starvation_nanos.store(wait / 2, super::sync::Ordering::Relaxed);
        gate.limit.store(config.max_concurrent_calls, super::sync::Ordering::Relaxed);
        self.max_wait_nanos.store(wait, Ordering::Relaxed);
        self.shadow.store(config.shadow, Ordering::Relaxed);
    }
}

/// Room in a bulkhead, until it is dropped.
#[derive(Debug)]
#[must_use = "the room is given back when the permit is dropped"]
pub struct BulkheadPermit {
    bulkhead: Bulkhead,
    share: Option<ShareKey>,
    since: Instant,
}

impl Drop for BulkheadPermit {
    #[inline]
    fn drop(&mut self) {
        let shared = &*self.bulkhead.0;
        shared.in_flight_series.add(-1.0);
        let mut now = self.since;
        // Only who may have to wait needs to know how long calls take.
        if shared.max_wait_nanos.load(Ordering::Relaxed) > 0 {
            now = shared.clock.coarse();
            shared.gate.observe(now - self.since);
        }
        shared.gate.leave(self.share, now);
    }
}

/// A place in the queue. Dropped, it is given up, together with a permit that it was just granted.
#[derive(Debug)]
pub(crate) struct Waiting {
    bulkhead: Bulkhead,
    index: Option<usize>,
    claim: Claim,
    until: Deadline,
}

impl Waiting {
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<BulkheadPermit, BulkheadFull>> {
        let Some(index) = self.index else { return Poll::Pending };
        let gate = &self.bulkhead.0.gate;
        match gate.poll_waiter(index, context.waker()) {
            WaiterState::Waiting => Poll::Pending,
            WaiterState::Granted => {
                self.index = None;
                gate.remove_waiter(index);
                Poll::Ready(Ok(self.bulkhead.permit(self.claim, self.bulkhead.0.clock.coarse())))
            }
            WaiterState::TooLate => {
                self.index = None;
                gate.remove_waiter(index);
                Poll::Ready(Err(self.refused(true)))
            }
        }
    }

    /// The time after which to [`give up`](Self::give_up), from now.
    pub(crate) fn longest_wait(&self) -> Duration {
        let until = self.claim.deadline.map_or(self.until, |deadline| deadline.min(self.until));
        until.remaining(self.bulkhead.0.clock.now())
    }

    /// Leaves the queue because the wait is over.
    pub(crate) fn give_up(&mut self) -> BulkheadFull {
        self.leave();
        let deadline = self.claim.deadline.is_some_and(|deadline| deadline < self.until);
        self.refused(deadline)
    }

    fn refused(&self, too_late: bool) -> BulkheadFull {
        // Nobody queues in shadow mode; who did so before it was switched on is refused as said.
        self.bulkhead.refuse(too_late).unwrap_or_else(|| self.bulkhead.full(too_late))
    }

    fn leave(&mut self) {
        if let Some(index) = self.index.take()
            && self.bulkhead.0.gate.remove_waiter(index) == WaiterState::Granted
        {
            // Granted at the same moment: the room goes on to the next.
            let now = self.bulkhead.0.clock.coarse();
            self.bulkhead.0.gate.leave(self.claim.share, now);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Builds a [`Bulkhead`].
#[derive(Debug)]
#[must_use]
pub struct BulkheadBuilder {
    name: Arc<str>,
    config: BulkheadConfig,
    clock: Clock,
    in_flight: Gauge,
    rejected: Counter,
    controls: Option<Registry>,
}

impl BulkheadBuilder {
    /// How many get in and how long others wait.
    pub fn config(mut self, config: BulkheadConfig) -> Self {
        self.config = config;
        self
    }

    /// The clock. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Records `BulkheadInFlight` and `BulkheadRejected` by `Bulkhead`.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        self.in_flight = recorder.gauge(&IN_FLIGHT, &[("Bulkhead", &self.name)]);
        self.rejected = recorder.counter(&REJECTED, &[("Bulkhead", &self.name)]);
        self
    }

    /// Registers it, so that operators can see and control it.
    pub fn controls(mut self, registry: &Registry) -> Self {
        self.controls = Some(registry.clone());
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that [cannot be used](check_name) or a configuration that
    /// [breaks a rule](BulkheadConfig::validate).
    pub fn build(self) -> Result<Bulkhead, ConfigError> {
        check_name(&self.name)?;
        self.config.validate()?;
        let shared = Shared {
            gate: Gate::new(self.config.max_concurrent_calls),
            name: self.name,
            clock: self.clock,
            max_wait_nanos: AtomicU64::new(0),
            shadow: AtomicBool::new(false),
            rejected: AtomicU64::new(0),
            hasher: RandomState::new(),
            config: RwLock::new(self.config.clone()),
            in_flight_series: self.in_flight,
            rejected_series: self.rejected,
        };
        shared.set(&self.config);
        let bulkhead = Bulkhead(Arc::new(shared));
        if let Some(registry) = self.controls {
            registry.register(Arc::new(bulkhead.clone()));
        }
        Ok(bulkhead)
    }
}
