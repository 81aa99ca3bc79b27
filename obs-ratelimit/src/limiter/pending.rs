use smallvec::SmallVec;

use super::Limiter;
use super::decide::{Answer, Asked, Denied, Passed, Pending, Said};
use super::reservation::{HeldCharges, INLINE};
use crate::engine::{Spent, Tell};

/// Answers that a store gave, by the index of their policies. What they charged is held until all
/// policies have spoken.
type Settled = SmallVec<[(usize, Spent); INLINE]>;

impl Limiter {
    /// Asks the stores, one after another, until every policy has an answer.
    ///
    /// Dropped while it waits for a lease, it has charged nothing.
    pub(crate) async fn resolve(
        self,
        pending: Pending,
        tell: Tell,
        hold: bool,
    ) -> Result<Passed, Denied> {
        let mut settled =
            Unsettled { limiter: &self, asked: &pending.asked, spent: Settled::new() };
        loop {
            match self.evaluate(&pending, &settled.spent, tell, hold) {
                Ok(decision) => {
                    settled.spent.clear();
                    return decision;
                }
                Err(Asked { policy, subject, name, cost }) => {
                    let spent = self.0.policies[policy].engine.wait(subject, name, cost).await;
                    // An engine that still has no answer has no say.
                    let spent =
                        if matches!(spent, Spent::Await) { Spent::Unlimited } else { spent };
                    settled.spent.push((policy, spent));
                }
            }
        }
    }

    fn evaluate(
        &self,
        pending: &Pending,
        settled: &Settled,
        tell: Tell,
        hold: bool,
    ) -> Result<Result<Passed, Denied>, Asked> {
        let mut said = Said { names: hold, ..Said::default() };
        let mut fresh = HeldCharges::new();
        for (position, it) in pending.asked.iter().enumerate() {
            let known = settled.iter().find(|(policy, _)| *policy == it.policy);
            let spent = match known {
                Some((_, spent)) => *spent,
                None => {
                    let engine = &self.0.policies[it.policy].engine;
                    engine.spend(it.subject, &|| it.name, it.cost, tell)
                }
            };
            let held = said.held.len();
            match self.answer(it.policy, it.subject, &|| it.name, it.cost, spent, &mut said) {
                Answer::Passes if known.is_none() => fresh.extend_from_slice(&said.held[held..]),
                Answer::Passes => {}
                Answer::Refused(refused) => {
                    let rest = &pending.asked[position + 1..];
                    self.take_back_settled(rest, settled);
                    let denied = self.deny(it.policy, refused, &said.held, || rest.to_vec());
                    return Ok(Err(denied));
                }
                Answer::Await => {
                    self.take_back(&fresh);
                    return Err(*it);
                }
            }
        }
        self.pass(&mut said, hold, || pending.cost.clone());
        Ok(Ok(said.passed))
    }

    /// A policy that comes later may have been charged by its store already.
    fn take_back_settled(&self, rest: &[Asked], settled: &Settled) {
        for it in rest {
            let charged = settled.iter().find(|(policy, _)| *policy == it.policy);
            if let Some((_, Spent::Admitted { receipt, .. })) = charged {
                let engine = &self.0.policies[it.policy].engine;
                engine.refund(it.subject, Some(it.name), *receipt);
            }
        }
    }
}

/// What stores have charged while another is waited for; taken back if the caller goes away.
struct Unsettled<'a> {
    limiter: &'a Limiter,
    asked: &'a [Asked],
    spent: Settled,
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        self.limiter.take_back_settled(self.asked, &self.spent);
    }
}
