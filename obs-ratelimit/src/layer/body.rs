use bytes::Buf;
use http_body::Frame;
use obs_core::body::{Watched, Watcher};
use obs_core::outcome::Outcome;

use crate::limiter::Reservation;

/// The body of a limited response. It holds the place that a concurrency limit gave until it
/// has ended, failed or is dropped.
pub type ResponseBody<B> = Watched<B, HeldToEnd>;

/// What a response holds until the end of its body; dropped before that, it is settled as
/// abandoned.
#[derive(Debug)]
pub struct HeldToEnd {
    reservation: Box<Reservation>,
    outcome: Outcome,
}

impl HeldToEnd {
    pub(super) const fn new(reservation: Box<Reservation>, outcome: Outcome) -> Self {
        Self { reservation, outcome }
    }
}

impl Watcher for HeldToEnd {
    fn frame<D: Buf>(&mut self, _: &Frame<D>, is_last: bool) -> bool {
        is_last
    }

    fn end(self, failed: Option<&'static str>) {
        self.reservation.end(failed.map_or(self.outcome, |_| Outcome::BodyError));
    }
}
