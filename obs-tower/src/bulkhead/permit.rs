use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use obs_core::clock::Instant;
use obs_core::deadline::Deadline;
use obs_core::outcome::Rejection;

use super::Bulkhead;
use super::queue::{Claim, ShareKey, WaiterState};
use crate::reject::Rejected;

/// There was no room, or too little time.
///
/// ```
/// use obs_tower::bulkhead::{Bulkhead, BulkheadConfig, Place};
///
/// let config = BulkheadConfig::new().max_concurrent_calls(1);
/// let bulkhead = Bulkhead::builder("reports").config(config).build()?;
/// let _permit = bulkhead.try_acquire(Place::default()).expect("there is room");
/// let full = bulkhead.try_acquire(Place::default()).unwrap_err();
/// assert!(full.to_string().contains("reports"));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkheadFull {
    pub(super) name: Arc<str>,
    pub(super) too_late: bool,
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
    Admitted(Ticket),
    Queued(Waiting),
    Full(BulkheadFull),
}

/// Room in a bulkhead without the bulkhead. Whoever has one gives it back with
/// [`Bulkhead::leave`]; a [`BulkheadPermit`] does so by itself.
#[derive(Debug)]
#[must_use = "room that nobody gives back is lost"]
pub(crate) struct Ticket {
    pub(super) share: Option<ShareKey>,
    /// When the call got in, if somebody may want to know how long calls take.
    pub(super) since: Option<Instant>,
}

/// Room in a bulkhead, until it is dropped.
///
/// ```
/// use obs_tower::bulkhead::{Bulkhead, Place};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let bulkhead = Bulkhead::builder("reports").build()?;
/// let permit = bulkhead.acquire(Place::default()).await?;
/// assert_eq!(bulkhead.in_flight(), 1);
/// drop(permit);
/// assert_eq!(bulkhead.in_flight(), 0);
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "the room is given back when the permit is dropped"]
pub struct BulkheadPermit {
    bulkhead: Bulkhead,
    ticket: Ticket,
}

impl BulkheadPermit {
    #[inline]
    pub(super) const fn new(bulkhead: Bulkhead, ticket: Ticket) -> Self {
        Self { bulkhead, ticket }
    }
}

impl Drop for BulkheadPermit {
    #[inline]
    fn drop(&mut self) {
        self.bulkhead.leave(&self.ticket);
    }
}

/// A place in the queue. Dropped, it is given up, together with a permit that it was just granted.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) bulkhead: Bulkhead,
    pub(super) index: Option<usize>,
    pub(super) claim: Claim,
    pub(super) until: Deadline,
}

impl Waiting {
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Ticket, BulkheadFull>> {
        let Some(index) = self.index else { return Poll::Pending };
        let gate = &self.bulkhead.0.gate;
        match gate.poll_waiter(index, context.waker()) {
            WaiterState::Waiting => Poll::Pending,
            WaiterState::Granted => {
                self.index = None;
                gate.remove_waiter(index);
                self.bulkhead.0.series.waiting.add(-1.0);
                Poll::Ready(Ok(self.bulkhead.ticket(self.claim.share)))
            }
            WaiterState::TooLate => {
                self.index = None;
                gate.remove_waiter(index);
                self.bulkhead.0.series.waiting.add(-1.0);
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
        let Some(index) = self.index.take() else { return };
        let shared = &*self.bulkhead.0;
        shared.series.waiting.add(-1.0);
        if shared.gate.remove_waiter(index) == WaiterState::Granted {
            // Granted at the same moment: the room goes on to the next.
            shared.gate.leave(self.claim.share, || shared.clock.coarse());
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.leave();
    }
}
