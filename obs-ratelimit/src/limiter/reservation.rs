use obs_core::admit::Settle;
use obs_core::outcome::Outcome;
use smallvec::SmallVec;

use super::Limiter;
use super::decide::INLINE;
use crate::engine::{Receipt, Subject};

/// A charge that was made and may have to be taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) policy: usize,
    pub(crate) subject: Subject,
    pub(crate) receipt: Receipt,
}

/// What a running request holds.
///
/// It is settled once: with the outcome, or by its drop as an abandoned request.
#[derive(Debug)]
pub(crate) struct Reservation {
    limiter: Limiter,
    held: SmallVec<[Held; INLINE]>,
}

impl Reservation {
    pub(crate) fn new(limiter: Limiter, held: SmallVec<[Held; INLINE]>) -> Self {
        Self { limiter, held }
    }

    /// Keeps every charge, whatever becomes of the request; places are given back at once.
    pub(crate) fn keep(mut self) {
        self.release(|_, is_place| is_place);
    }

    /// Keeps or takes back the charges that depend on the outcome. Places stay held, for the
    /// body may still be running.
    pub(crate) fn decide(&mut self, outcome: Outcome) {
        let limiter = self.limiter.clone();
        self.held.retain(|held| {
            let active = &limiter.0.policies[held.policy];
            if active.policy.quota.is_concurrency() {
                return true;
            }
            if !active.policy.charge.keeps(outcome) {
                active.engine.refund(held.subject, held.receipt);
            }
            active.policy.refund_on_cancel && active.policy.charge.keeps(outcome)
        });
    }

    /// The request has ended.
    pub(crate) fn end(mut self, outcome: Outcome) {
        let limiter = self.limiter.clone();
        self.release(|policy, is_place| {
            is_place || !limiter.0.policies[policy].policy.charge.keeps(outcome)
        });
    }

    fn abandon(&mut self) {
        let limiter = self.limiter.clone();
        self.release(|policy, is_place| {
            is_place || limiter.0.policies[policy].policy.refund_on_cancel
        });
    }

    /// Takes back every charge of which `back` says so, and forgets the others.
    fn release(&mut self, back: impl Fn(usize, bool) -> bool) {
        for held in self.held.drain(..) {
            let active = &self.limiter.0.policies[held.policy];
            if back(held.policy, active.policy.quota.is_concurrency()) {
                active.engine.refund(held.subject, held.receipt);
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Settle for Reservation {
    fn settle(mut self: Box<Self>, outcome: Option<Outcome>) {
        match outcome {
            Some(outcome) => (*self).end(outcome),
            None => self.abandon(),
        }
    }
}
