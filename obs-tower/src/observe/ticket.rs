use std::fmt;
use std::sync::Arc;

use obs_core::clock::Instant;
use obs_core::context::RequestContext;

use super::in_flight::Seat;
use super::observer::Observer;
use super::recording::Recording;
use crate::exchange::End;

/// What the response future holds, and after it the response body: the right to end the request.
///
/// Dropping it ends the request too, as one that nobody waited for.
pub(super) struct Ticket {
    observer: Arc<Observer>,
    context: RequestContext,
    seat: Seat,
    /// Whether this ticket has ended the request; the record may still have been taken by a stop.
    ended: bool,
}

impl Ticket {
    pub(super) fn new(observer: Arc<Observer>, context: RequestContext, seat: Seat) -> Self {
        Self { observer, context, seat, ended: false }
    }

    pub(super) const fn context(&self) -> &RequestContext {
        &self.context
    }

    pub(super) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Changes the record, unless the request has ended.
    pub(super) fn update(&self, change: impl FnOnce(&mut Recording)) {
        if let Some(recording) = self.seat.lock().as_mut() {
            change(recording);
        }
    }

    /// Ends the request, at `at`; the first to do so is the one that counts.
    pub(super) fn finish(mut self, end: End, at: Instant) {
        self.end(end, at);
    }

    /// Ends the request now.
    pub(super) fn finish_now(self, end: End) {
        let now = self.observer.clock().now();
        self.finish(end, now);
    }

    fn end(&mut self, end: End, at: Instant) {
        self.ended = true;
        // The lock is released before anything is written.
        let mut recording = self.seat.lock().take();
        if let Some(recording) = &mut recording {
            self.observer.finish(recording, end, at);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            let now = self.observer.clock().now();
            self.end(End::Dropped, now);
        }
        self.observer.in_flight().give_back(&self.seat);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("correlation_id", self.context.correlation_id()).finish()
    }
}
