use obs_core::admit::Settle;
use obs_core::outcome::Outcome;
use smallvec::SmallVec;

use super::{Limiter, RequestCost};
use crate::engine::{Receipt, Subject};
use crate::local::Charged;
use crate::store::StoreKey;

/// A charge that was made and may have to be taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) policy: usize,
    pub(crate) subject: Subject,
    pub(crate) receipt: Receipt,
    pub(crate) cost: u64,
    /// The name of the key in its store, where settling may need it.
    pub(crate) name: Option<StoreKey>,
}

/// Policies that are followed without allocation.
pub(super) const INLINE: usize = 4;

pub(super) type HeldCharges = SmallVec<[Held; INLINE]>;

/// What a running request holds.
///
/// It is settled once: with the outcome, or by its drop as an abandoned request.
#[derive(Debug)]
pub(crate) struct Reservation {
    limiter: Limiter,
    held: HeldCharges,
    /// What the request says that it cost.
    cost: Option<RequestCost>,
}

/// What becomes of a charge.
enum Fate {
    Kept,
    TakenBack,
    Becomes(u64),
}

impl Limiter {
    pub(super) fn take_back(&self, held: &[Held]) {
        for held in held {
            let engine = &self.0.policies[held.policy].engine;
            engine.refund(held.subject, held.name, held.receipt);
        }
    }

    /// Charges `cost` where another was charged.
    fn adjust(&self, held: &Held, cost: u64) {
        let engine = &self.0.policies[held.policy].engine;
        if cost > held.cost {
            let name = || held.name.unwrap_or(StoreKey::new(0));
            engine.debit(held.subject, &name, cost - held.cost);
        } else if cost < held.cost {
            let Charged { amount, stamp } = held.receipt.charged;
            let back = u128::from(amount) * u128::from(held.cost - cost) / u128::from(held.cost);
            // A part of the amount is no larger than it.
            let charged = Charged { amount: back as u64, stamp };
            engine.refund(held.subject, held.name, Receipt { charged, ..held.receipt });
        }
    }
}

impl Reservation {
    pub(super) fn new(limiter: Limiter, held: HeldCharges, cost: Option<RequestCost>) -> Self {
        Self { limiter, held, cost }
    }

    /// Keeps every charge, whatever becomes of the request; places are given back at once.
    pub(crate) fn keep(mut self) {
        self.settle_all(|_, _| Fate::Kept);
    }

    /// Gives everything back.
    pub(crate) fn refund(mut self) {
        self.settle_all(|_, _| Fate::TakenBack);
    }

    /// Charges this cost instead of what was reserved.
    pub(crate) fn commit_cost(mut self, cost: u64) {
        self.settle_all(|_, _| Fate::Becomes(cost));
    }

    /// Keeps or takes back the charges that depend on the outcome alone. Places stay held, and
    /// costs unknown, for the body may still be running.
    pub(crate) fn decide(&mut self, outcome: Outcome) {
        let limiter = &self.limiter;
        self.held.retain(|held| {
            let active = &limiter.0.policies[held.policy];
            let keeps = active.policy.charge.keeps(outcome);
            if active.holds_places || (active.policy.late_cost && keeps) {
                return true;
            }
            if !keeps {
                limiter.take_back(&[*held]);
            }
            active.policy.refund_on_cancel && keeps
        });
    }

    /// The request has ended.
    pub(crate) fn end(mut self, outcome: Outcome) {
        let cost = self.cost.as_ref().and_then(RequestCost::get);
        self.settle_all(|limiter, policy| {
            let policy = &limiter.0.policies[policy].policy;
            match cost {
                _ if !policy.charge.keeps(outcome) => Fate::TakenBack,
                Some(cost) if policy.late_cost => Fate::Becomes(cost),
                _ => Fate::Kept,
            }
        });
    }

    fn abandon(&mut self) {
        let cost = self.cost.as_ref().and_then(RequestCost::get);
        self.settle_all(|limiter, policy| {
            let policy = &limiter.0.policies[policy].policy;
            match cost {
                Some(cost) if policy.late_cost => Fate::Becomes(cost),
                _ if policy.refund_on_cancel => Fate::TakenBack,
                _ => Fate::Kept,
            }
        });
    }

    /// Settles every charge as `fate` says of its policy, but places, which always come back.
    fn settle_all(&mut self, fate: impl Fn(&Limiter, usize) -> Fate) {
        for held in self.held.drain(..) {
            if self.limiter.0.policies[held.policy].holds_places {
                self.limiter.take_back(&[held]);
                continue;
            }
            match fate(&self.limiter, held.policy) {
                Fate::Kept => {}
                Fate::TakenBack => self.limiter.take_back(&[held]),
                Fate::Becomes(cost) => self.limiter.adjust(&held, cost),
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
