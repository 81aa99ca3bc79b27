use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;
use obs_core::deadline::Deadline;
use obs_core::metric::{Counter, Gauge};

use super::future::poll_queue;
use super::gate::{Entry, Gate};
use super::permit::{Admission, Ticket, Waiting};
use super::queue::{Claim, ShareKey};
use super::{BulkheadBuilder, BulkheadConfig, BulkheadFull, BulkheadPermit, Order, Place, sync};
use crate::deadline::inherited;

/// A handle to a bulkhead; clones are the same bulkhead.
///
/// ```
/// use obs_tower::bulkhead::{Bulkhead, BulkheadConfig, Place};
///
/// let config = BulkheadConfig::new().max_concurrent_calls(1);
/// let bulkhead = Bulkhead::builder("reports").config(config).build()?;
///
/// let permit = bulkhead.try_acquire(Place::default())?;
/// assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (1, 0));
/// assert!(bulkhead.try_acquire(Place::default()).is_err());
/// assert_eq!(bulkhead.rejected(), 1);
///
/// // While it works: more room from now on.
/// bulkhead.reconfigure(bulkhead.config().max_concurrent_calls(2))?;
/// assert!(bulkhead.try_acquire(Place::default()).is_ok());
/// drop(permit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bulkhead(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) gate: Gate,
    name: Arc<str>,
    pub(super) clock: Clock,
    max_wait_nanos: AtomicU64,
    shadow: AtomicBool,
    rejected: AtomicU64,
    hasher: RandomState,
    config: RwLock<BulkheadConfig>,
    pub(super) series: Series,
}

#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) in_flight: Gauge,
    pub(super) waiting: Gauge,
    pub(super) rejected: Counter,
}

impl Bulkhead {
    /// Builds a bulkhead; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> BulkheadBuilder {
        BulkheadBuilder::new(name.into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    #[inline]
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
        self.update(|_| Ok(config))
    }

    /// Puts what `change` makes of the configuration in its place; nobody else changes it meanwhile.
    pub(super) fn update<E: From<ConfigError>>(
        &self,
        change: impl FnOnce(BulkheadConfig) -> Result<BulkheadConfig, E>,
    ) -> Result<(), E> {
        let mut current = self.0.config.write().unwrap_or_else(PoisonError::into_inner);
        let config = change(current.clone())?;
        config.validate()?;
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
        match self.admit(place, false, || self.0.clock.coarse(), inherited) {
            Admission::Admitted(ticket) => Ok(self.permit(ticket)),
            Admission::Full(full) => Err(full),
            Admission::Queued(_) => Err(self.full(false)),
        }
    }

    /// Enters, and waits for room as the configuration allows.
    ///
    /// Dropping the future gives the place in the queue up, or the permit if it was just granted.
    ///
    /// ```
    /// use obs_tower::bulkhead::{Bulkhead, Place, Share};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let bulkhead = Bulkhead::builder("reports").build()?;
    /// let permit = bulkhead.acquire(Place::default().share(Share::of("acme"))).await?;
    /// assert_eq!((&**bulkhead.name(), bulkhead.shares()), ("reports", 1));
    /// drop(permit);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`BulkheadFull`] when the wait or the [deadline](inherited) is over or the queue is full.
    pub async fn acquire(&self, place: Place<'_>) -> Result<BulkheadPermit, BulkheadFull> {
        let mut waiting = match self.admit(place, true, || self.0.clock.coarse(), inherited) {
            Admission::Admitted(ticket) => return Ok(self.permit(ticket)),
            Admission::Full(full) => return Err(full),
            Admission::Queued(waiting) => waiting,
        };
        let mut timer = pin!(None);
        let ticket = poll_fn(|context| poll_queue(&mut waiting, timer.as_mut(), context)).await?;
        Ok(self.permit(ticket))
    }

    /// Decides about a call. The time and the deadline are asked for only if they matter.
    #[inline]
    pub(crate) fn admit(
        &self,
        place: Place<'_>,
        may_queue: bool,
        now: impl Fn() -> Instant,
        deadline: impl FnOnce() -> Option<Deadline>,
    ) -> Admission {
        if place.share.is_none() && self.0.gate.enter_at_once() {
            let since = self.0.may_wait().then(now);
            self.0.series.in_flight.add(1.0);
            return Admission::Admitted(Ticket { share: None, since });
        }
        self.admit_by_the_book(place, may_queue, now(), deadline())
    }

    fn admit_by_the_book(
        &self,
        place: Place<'_>,
        may_queue: bool,
        now: Instant,
        deadline: Option<Deadline>,
    ) -> Admission {
        let shared = &*self.0;
        let share = place.share.map(|share| ShareKey {
            key: shared.hasher.hash_one(share.key),
            weight: NonZeroU32::new(share.weight).unwrap_or(NonZeroU32::MIN),
        });
        let claim = Claim { share, priority: place.priority, deadline };
        // In shadow mode nobody waits: what would wait or be refused is counted and let in.
        let may_queue = may_queue && shared.may_wait() && !shared.shadow.load(Ordering::Relaxed);
        match shared.gate.enter(claim, may_queue, now) {
            Entry::Admitted => Admission::Admitted(self.ticket(share)),
            Entry::Queued(index) => {
                shared.series.waiting.add(1.0);
                let wait = Duration::from_nanos(shared.max_wait_nanos.load(Ordering::Relaxed));
                let (index, until) = (Some(index), Deadline::after(now, wait));
                Admission::Queued(Waiting { bulkhead: self.clone(), index, claim, until })
            }
            Entry::Full => match self.refuse(false) {
                Some(full) => Admission::Full(full),
                None => {
                    shared.gate.force(claim);
                    Admission::Admitted(self.ticket(share))
                }
            },
        }
    }

    /// The ticket of a call that the gate has let in.
    pub(super) fn ticket(&self, share: Option<ShareKey>) -> Ticket {
        self.0.series.in_flight.add(1.0);
        Ticket { share, since: self.0.may_wait().then(|| self.0.clock.coarse()) }
    }

    #[inline]
    pub(crate) fn permit(&self, ticket: Ticket) -> BulkheadPermit {
        BulkheadPermit::new(self.clone(), ticket)
    }

    /// A call has ended.
    #[inline]
    pub(crate) fn leave(&self, ticket: &Ticket) {
        let shared = &*self.0;
        shared.series.in_flight.add(-1.0);
        if let Some(since) = ticket.since {
            let now = shared.clock.coarse();
            shared.gate.observe(now - since);
            shared.gate.leave(ticket.share, || now);
        } else {
            shared.gate.leave(ticket.share, || shared.clock.coarse());
        }
    }

    pub(super) fn full(&self, too_late: bool) -> BulkheadFull {
        BulkheadFull { name: Arc::clone(&self.0.name), too_late }
    }

    /// Counts a refusal; `None` in shadow mode.
    #[cold]
    pub(super) fn refuse(&self, too_late: bool) -> Option<BulkheadFull> {
        self.0.rejected.fetch_add(1, Ordering::Relaxed);
        self.0.series.rejected.add(1);
        (!self.0.shadow.load(Ordering::Relaxed)).then(|| self.full(too_late))
    }
}

impl Shared {
    pub(super) fn new(
        name: Arc<str>,
        clock: Clock,
        config: BulkheadConfig,
        series: Series,
    ) -> Self {
        let shared = Self {
            gate: Gate::new(config.max_concurrent_calls),
            name,
            clock,
            max_wait_nanos: AtomicU64::new(0),
            shadow: AtomicBool::new(false),
            rejected: AtomicU64::new(0),
            hasher: RandomState::new(),
            config: RwLock::new(config.clone()),
            series,
        };
        shared.set(&config);
        shared
    }

    /// Whether calls may wait: only then anybody needs to know how long calls take.
    #[inline]
    fn may_wait(&self) -> bool {
        self.max_wait_nanos.load(Ordering::Relaxed) > 0
    }

    fn set(&self, config: &BulkheadConfig) {
        let wait = u64::try_from(config.max_wait_duration.as_nanos()).unwrap_or(u64::MAX);
        let per_share = config.max_concurrent_calls_per_share.unwrap_or(u32::MAX);
        let gate = &self.gate;
        gate.per_share.store(per_share, sync::Ordering::Relaxed);
        gate.queue_length.store(config.max_queue_length, sync::Ordering::Relaxed);
        gate.lifo.store(u32::from(config.order == Order::Lifo), sync::Ordering::Relaxed);
        gate.starvation_nanos.store(wait / 2, sync::Ordering::Relaxed);
        gate.limit.store(config.max_concurrent_calls, sync::Ordering::Relaxed);
        self.max_wait_nanos.store(wait, Ordering::Relaxed);
        self.shadow.store(config.shadow, Ordering::Relaxed);
    }
}
