//! A record waits for the end of its response, but not for ever.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use pin_project_lite::pin_project;

#[cfg(feature = "tokio")]
type Timer = Option<tokio::time::Sleep>;
#[cfg(not(feature = "tokio"))]
type Timer = ();

pin_project! {
    /// The time a record still waits.
    ///
    /// It is looked at whenever the body is polled. With the feature `tokio`, and within a tokio
    /// runtime, a timer also wakes a body that is silent for longer.
    #[derive(Default)]
    pub(super) struct Hold {
        since: Instant,
        limit: Option<Duration>,
        #[pin]
        timer: Timer,
    }
}

impl Hold {
    pub(super) fn new(since: Instant, limit: Option<Duration>) -> Self {
        Self { since, limit, timer: Timer::default() }
    }

    /// Whether the record has waited for long enough.
    pub(super) fn is_over(&self, clock: &Clock) -> bool {
        self.limit.is_some_and(|limit| clock.now() - self.since >= limit)
    }

    /// As [`Hold::is_over`]; if not, sees to it that the task is woken when it is.
    pub(super) fn poll(self: Pin<&mut Self>, clock: &Clock, task: &mut Context<'_>) -> bool {
        let Some(limit) = self.limit else { return false };
        let waited = clock.now() - self.since;
        waited >= limit || self.fires(limit - waited, task)
    }

    #[cfg(feature = "tokio")]
    fn fires(self: Pin<&mut Self>, remaining: Duration, task: &mut Context<'_>) -> bool {
        let mut timer = self.project().timer;
        if timer.is_none() {
            if tokio::runtime::Handle::try_current().is_err() {
                return false;
            }
            timer.set(Some(tokio::time::sleep(remaining)));
        }
        timer.as_pin_mut().is_some_and(|sleep| sleep.poll(task).is_ready())
    }

    #[cfg(not(feature = "tokio"))]
    fn fires(self: Pin<&mut Self>, _: Duration, _: &mut Context<'_>) -> bool {
        false
    }
}
