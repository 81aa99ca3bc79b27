use smallvec::SmallVec;

use super::Limiter;
use super::decide::{Answer, Asked, Denied, HeldCharges, INLINE, Passed};
use crate::engine::Spent;

/// Answers that a store gave, by the index of their policies. What they charged is held until all
/// policies have spoken.
type Settled = SmallVec<[(usize, Spent); INLINE]>;

impl Limiter {
    /// Asks the stores, one after another, until every policy has an answer.
    ///
    /// Dropped while it waits for a lease, it has charged nothing.
    pub(crate) async fn resolve(self, asked: Vec<Asked>, report: bool) -> Result<Passed, Denied> {
        let mut settled = Settled::new();
        loop {
            match self.evaluate(&asked, &settled, report) {
                Ok(decision) => return decision,
                Err(Asked { policy, subject, key, cost }) => {
                    let spent = self.0.policies[policy].engine.wait(subject, key, cost).await;
                    // An engine that still has no answer has no say.
                    let spent =
                        if matches!(spent, Spent::Await) { Spent::Unlimited } else { spent };
                    settled.push((policy, spent));
                }
            }
        }
    }

    fn evaluate(
        &self,
        asked: &[Asked],
        settled: &Settled,
        report: bool,
    ) -> Result<Result<Passed, Denied>, Asked> {
        let mut passed = Passed::default();
        let (mut held, mut fresh) = (HeldCharges::new(), HeldCharges::new());
        for (position, it) in asked.iter().enumerate() {
            let known = settled.iter().find(|(policy, _)| *policy == it.policy);
            let spent = match known {
                Some((_, spent)) => *spent,
                None => {
                    let engine = &self.0.policies[it.policy].engine;
                    engine.spend(it.subject, &|| it.key, it.cost, report)
                }
            };
            match self.answer(it.policy, it.subject, it.cost, spent) {
                Answer::Absent => {}
                Answer::Admitted(charge, report, fallback) => {
                    held.push(charge);
                    if known.is_none() {
                        fresh.push(charge);
                    }
                    passed.note(it.policy, report, fallback);
                }
                Answer::Refused(refused) => {
                    let rest = &asked[position + 1..];
                    self.take_back_settled(rest, settled);
                    let rest = rest.iter().copied();
                    return Ok(Err(self.deny(it.policy, refused, &held, rest)));
                }
                Answer::Await => {
                    self.take_back(&fresh);
                    return Err(*it);
                }
            }
        }
        self.pass(&mut passed, held);
        Ok(Ok(passed))
    }

    /// A policy that comes later may have been charged by its store already.
    fn take_back_settled(&self, rest: &[Asked], settled: &Settled) {
        for it in rest {
            let charged = settled.iter().find(|(policy, _)| *policy == it.policy);
            if let Some((_, Spent::Admitted { receipt, .. })) = charged {
                self.0.policies[it.policy].engine.refund(it.subject, *receipt);
            }
        }
    }
}
