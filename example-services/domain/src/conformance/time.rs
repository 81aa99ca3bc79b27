//! Time for the suites: it passes when a suite says so.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::port::{Time, millis};

/// Lets time pass: at once for what is embedded, by waiting for what runs elsewhere.
pub trait Passing: Send + Sync {
    /// Completes once `duration` has passed for what is tested.
    fn pass(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// A time that moves only when it is told to; clones move together.
///
/// It starts at 2026-01-01T00:00:00Z.
#[derive(Clone, Debug)]
pub struct ManualTime(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now_ms: u64,
    waiting: Vec<Waker>,
}

impl Default for ManualTime {
    fn default() -> Self {
        let state = State { now_ms: 1_767_225_600_000, waiting: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl ManualTime {
    /// Moves the time forward and wakes all who wait for it.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        state.now_ms += millis(duration);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time for ManualTime {
    fn now_ms(&self) -> u64 {
        self.lock().now_ms
    }

    fn sleep_until(&self, at_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(Sleep { time: self.clone(), at_ms })
    }
}

impl Passing for ManualTime {
    fn pass(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // Not before it is awaited: who is joined with it has begun to wait by then.
        Box::pin(async move { self.advance(duration) })
    }
}

struct Sleep {
    time: ManualTime,
    at_ms: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.time.lock();
        if state.now_ms >= self.at_ms {
            return Poll::Ready(());
        }
        state.waiting.push(context.waker().clone());
        Poll::Pending
    }
}
