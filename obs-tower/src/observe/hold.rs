//! A record waits for the end of its response, but not for ever.

#[cfg(feature = "tokio")]
use std::future::Future as _;
use std::task::Context;
use std::time::Duration;

use obs_core::clock::{Clock, Instant};

/// The time a record still waits.
///
/// It is looked at whenever the body is polled. With the feature `tokio`, and within a tokio
/// runtime, a timer also wakes a body that is silent for longer.
#[derive(Default)]
pub(super) struct Hold {
    since: Instant,
    limit: Option<Duration>,
    // In a box, because few bodies ever wait and all would carry it about.
    #[cfg(feature = "tokio")]
    timer: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
}

impl Hold {
    pub(super) fn new(since: Instant, limit: Option<Duration>) -> Self {
        Self {
            since,
            limit,
            #[cfg(feature = "tokio")]
            timer: None,
        }
    }

    /// Whether the record has waited for long enough.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.limit.is_some_and(|limit| now - self.since >= limit)
    }

    /// As [`Hold::is_over`]; if not, sees to it that the task is woken when it is.
    pub(super) fn poll(&mut self, clock: &Clock, task: &mut Context<'_>) -> bool {
        let Some(limit) = self.limit else { return false };
        let waited = clock.now() - self.since;
        waited >= limit || self.fires(limit - waited, task)
    }

    #[cfg(feature = "tokio")]
    fn fires(&mut self, remaining: Duration, task: &mut Context<'_>) -> bool {
        if self.timer.is_none() {
            if tokio::runtime::Handle::try_current().is_err() {
                return false;
            }
            self.timer = Some(Box::pin(tokio::time::sleep(remaining)));
        }
        self.timer.as_mut().is_some_and(|sleep| sleep.as_mut().poll(task).is_ready())
    }

    #[cfg(not(feature = "tokio"))]
    #[allow(clippy::unused_self, reason = "without a timer nothing is looked at")]
    fn fires(&mut self, _: Duration, _: &mut Context<'_>) -> bool {
        false
    }
}
