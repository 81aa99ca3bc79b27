//! The gate: how many may be inside, who is next. It holds no clock; every step is told the time.

use std::sync::PoisonError;
use std::task::Waker;
use std::time::Duration;

use obs_core::clock::Instant;

use super::Order;
use super::queue::{Claim, Queue, Rules, ShareKey, WaiterState};
use super::sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering};

#[derive(Debug)]
pub(super) struct Gate {
    /// `in flight << 32 | waiting`: whoever leaves sees in one reading whether somebody waits, and
    /// whoever queues up cannot be overlooked, because it changes the word that the other swaps.
    word: AtomicU64,
    pub(super) limit: AtomicU32,
    pub(super) queue_length: AtomicU32,
    pub(super) per_share: AtomicU32,
    pub(super) lifo: AtomicU32,
    pub(super) starvation_nanos: AtomicU64,
    /// A moving average of how long calls take, in nanoseconds.
    service_nanos: AtomicU64,
    queue: Mutex<Queue>,
}

const ONE: u64 = 1 << 32;

/// The answer of [`Gate::enter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Admitted,
    Queued(usize),
    Full,
}

const fn in_flight(word: u64) -> u32 {
    (word >> 32) as u32
}

const fn waiting(word: u64) -> u32 {
    word as u32
}

impl Gate {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            word: AtomicU64::new(0),
            limit: AtomicU32::new(limit),
            queue_length: AtomicU32::new(0),
            per_share: AtomicU32::new(u32::MAX),
            lifo: AtomicU32::new(0),
            starvation_nanos: AtomicU64::new(u64::MAX),
            service_nanos: AtomicU64::new(0),
            queue: Mutex::new(Queue::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> u32 {
        in_flight(self.word.load(Ordering::Relaxed))
    }

    pub(super) fn waiting(&self) -> u32 {
        waiting(self.word.load(Ordering::Relaxed))
    }

    pub(super) fn shares(&self) -> usize {
        self.lock().shares()
    }

    pub(super) fn service_time(&self) -> Duration {
        Duration::from_nanos(self.service_nanos.load(Ordering::Relaxed))
    }

    fn rules(&self) -> Rules {
        let order = if self.lifo.load(Ordering::Relaxed) == 0 { Order::Fifo } else { Order::Lifo };
        Rules {
            per_share: self.per_share.load(Ordering::Relaxed),
            order,
            starvation: Duration::from_nanos(self.starvation_nanos.load(Ordering::Relaxed)),
            service_time: self.service_time(),
        }
    }

    /// Adds `change` to the word if `allowed` agrees to what it is at that moment.
    #[inline]
    fn change(&self, change: u64, allowed: impl Fn(u64) -> bool) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while allowed(word) {
            let new = word.wrapping_add(change);
            // AcqRel: what a call did before it left happened before the next one enters.
            match self.word.compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Lets a call without a share in, if there is room and nobody waits.
    #[inline]
    pub(super) fn enter_at_once(&self) -> bool {
        let limit = self.limit();
        self.change(ONE, |word| waiting(word) == 0 && in_flight(word) < limit)
    }

    /// Lets a call in, puts it into the queue if `may_queue`, or turns it away.
    pub(super) fn enter(&self, claim: Claim, may_queue: bool, now: Instant) -> Entry {
        if claim.share.is_none() {
            if self.enter_at_once() {
                return Entry::Admitted;
            }
            let may_queue = may_queue && self.queue_length.load(Ordering::Relaxed) > 0;
            if !may_queue && self.in_flight() >= self.limit() {
                return Entry::Full;
            }
        }
        self.enter_or_queue(claim, may_queue, now)
    }

    fn enter_or_queue(&self, claim: Claim, may_queue: bool, now: Instant) -> Entry {
        let mut queue = self.lock();
        let limit = self.limit();
        let per_share = self.per_share.load(Ordering::Relaxed);
        // Whoever waits although there is room waits for room in its share, which is not this one's.
        if queue.has_room_in(claim.share, per_share)
            && self.change(ONE, |word| in_flight(word) < limit)
        {
            queue.enter(claim.share);
            return Entry::Admitted;
        }
        if !may_queue || queue.len() >= self.queue_length.load(Ordering::Relaxed) as usize {
            return Entry::Full;
        }
        let index = queue.push(claim, now);
        self.change(1, |_| true);
        // A call without a share may have left since the look at the word above.
        let mut wakers = Vec::new();
        self.grant_while_there_is_room(&mut queue, now, &mut wakers);
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
        Entry::Queued(index)
    }

    /// Counts a call in although there is no room.
    pub(super) fn force(&self, claim: Claim) {
        if claim.share.is_some() {
            self.lock().enter(claim.share);
        }
        self.change(ONE, |_| true);
    }

    /// A call has ended. Its place goes to whoever is next, unless the limit has shrunk.
    #[inline]
    pub(super) fn leave(&self, share: Option<ShareKey>, now: impl FnOnce() -> Instant) {
        if share.is_none() && self.change(ONE.wrapping_neg(), |word| waiting(word) == 0) {
            return;
        }
        self.leave_with_a_queue(share, now());
    }

    #[cold]
    fn leave_with_a_queue(&self, share: Option<ShareKey>, now: Instant) {
        let mut wakers = Vec::new();
        let mut queue = self.lock();
        queue.leave(share);
        self.change(ONE.wrapping_neg(), |_| true);
        self.grant_while_there_is_room(&mut queue, now, &mut wakers);
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn grant_while_there_is_room(&self, queue: &mut Queue, now: Instant, wakers: &mut Vec<Waker>) {
        while queue.len() > 0 {
            let limit = self.limit();
            let before = queue.len();
            // The place first, then who gets it: nobody without a share can take it in between.
            if !self.change(ONE, |word| in_flight(word) < limit) {
                break;
            }
            let granted = queue.grant(now, self.rules(), wakers);
            let gone = (before - queue.len()) as u64;
            self.change(gone.wrapping_neg(), |_| true);
            match granted {
                Ok(waker) => wakers.extend(waker),
                Err(()) => {
                    self.change(ONE.wrapping_neg(), |_| true);
                    break;
                }
            }
        }
    }

    /// Looks after the queue when a limit was raised.
    pub(super) fn limits_changed(&self, now: Instant) {
        let mut wakers = Vec::new();
        let mut queue = self.lock();
        self.grant_while_there_is_room(&mut queue, now, &mut wakers);
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn poll_waiter(&self, index: usize, waker: &Waker) -> WaiterState {
        self.lock().poll(index, waker)
    }

    /// A waiter is told its answer, or has given up. Returns what had become of it.
    pub(super) fn remove_waiter(&self, index: usize) -> WaiterState {
        let mut queue = self.lock();
        let state = queue.remove(index);
        if state == WaiterState::Waiting {
            self.change(1_u64.wrapping_neg(), |_| true);
        }
        state
    }

    /// A call took this long.
    pub(super) fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 8).min(u64::MAX / 8);
        let old = self.service_nanos.load(Ordering::Relaxed);
        let new = if old == 0 { nanos } else { old - old / 8 + nanos / 8 };
        // An update lost to another thread's is one sample fewer of an average.
        self.service_nanos.store(new, Ordering::Relaxed);
    }
}
