use std::time::Duration;

use http::request;
use smallvec::SmallVec;

use super::reservation::Held;
use super::{Active, Inner, Limiter, Reservation};
use crate::engine::{Reason, Refused, Report, Spent};
use crate::local::Wait;
use crate::policy::OnMissingKey;

/// Policies that are followed without allocation.
pub(crate) const INLINE: usize = 4;

/// What all policies together say.
#[derive(Debug)]
pub(crate) enum Decision {
    Passed(Passed),
    Denied(Denied),
}

/// A request that may pass.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// What must be settled when the request ends.
    pub(crate) reservation: Option<Reservation>,
    pub(crate) reports: SmallVec<[PolicyReport; INLINE]>,
}

/// The standing of the request's key under the policy with this index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyReport {
    pub(crate) policy: usize,
    pub(crate) report: Report,
}

/// A request that must not pass.
#[derive(Debug)]
pub(crate) struct Denied {
    /// The policies that refused, at least one.
    pub(crate) violated: SmallVec<[(usize, Refused); INLINE]>,
    pub(crate) reports: SmallVec<[PolicyReport; INLINE]>,
}

impl Denied {
    pub(crate) fn first(&self) -> usize {
        self.violated.first().map_or(0, |(policy, _)| *policy)
    }

    fn add(&mut self, inner: &Inner, policy: usize, refused: Refused) {
        inner.policies[policy].counters.refused(refused.reason, false);
        if refused.report.capacity > 0 {
            self.reports.push(PolicyReport { policy, report: refused.report });
        }
        self.violated.push((policy, refused));
    }

    /// The longest of the waits; `None` if a wait is not known or has no end.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let mut longest = 0;
        for (_, refused) in &self.violated {
            match refused.wait {
                Wait::Nanos(nanos) => longest = nanos.max(longest),
                Wait::Unknown => longest = longest.max(UNKNOWN_WAIT),
                Wait::Never => return None,
            }
        }
        Some(Duration::from_nanos(longest))
    }
}

/// What a caller is told to wait for a place that a running request holds: 1 s.
const UNKNOWN_WAIT: u64 = 1_000_000_000;

type HeldCharges = SmallVec<[Held; INLINE]>;

impl Limiter {
    /// Asks every policy in turn; charges all of them or none.
    pub(crate) fn decide(&self, request: &request::Parts, report: bool) -> Decision {
        let inner = &*self.0;
        let mut passed = Passed::default();
        if inner.skip.as_ref().is_some_and(|skip| (skip.0)(request)) {
            return Decision::Passed(passed);
        }
        let mut held = HeldCharges::new();
        for (index, active) in inner.policies.iter().enumerate() {
            match self.ask(index, active, request, report, &mut held) {
                Ok(Some(report)) => passed.reports.push(PolicyReport { policy: index, report }),
                Ok(None) => {}
                Err(refused) => return self.deny(request, index, refused, &held),
            }
        }
        for held in &held {
            inner.policies[held.policy].counters.admitted.add();
        }
        if held.iter().any(|held| inner.policies[held.policy].settles) {
            held.retain(|held| inner.policies[held.policy].settles);
            passed.reservation = Some(Reservation::new(self.clone(), held));
        }
        Decision::Passed(passed)
    }

    /// Asks one policy; what it charges is added to `held`.
    #[inline]
    fn ask(
        &self,
        index: usize,
        active: &Active,
        request: &request::Parts,
        report: bool,
        held: &mut HeldCharges,
    ) -> Result<Option<Report>, Refused> {
        let policy = &active.policy;
        if policy.skip.as_ref().is_some_and(|skip| (skip.0)(request)) {
            return Ok(None);
        }
        let Some(subject) = active.subject(request, &self.0.secret) else {
            return match policy.on_missing_key {
                OnMissingKey::Refuse => Err(MISSING_KEY),
                OnMissingKey::Share | OnMissingKey::Skip => Ok(None),
            };
        };
        let cost = policy.cost.of(request);
        match active.engine.spend(subject, cost, report) {
            Spent::Unlimited => Ok(None),
            Spent::Admitted { receipt, report } => {
                held.push(Held { policy: index, subject, receipt });
                Ok(report)
            }
            Spent::Refused(refused) => {
                if policy.charge_refused {
                    active.engine.debit(subject, cost);
                }
                if active.is_shadow(self.clock()) {
                    active.counters.refused(refused.reason, true);
                    return Ok(None);
                }
                Err(refused)
            }
        }
    }

    /// Takes back what the policies before `first` charged, and asks those after it how long the
    /// request would have to wait for them.
    #[cold]
    fn deny(
        &self,
        request: &request::Parts,
        first: usize,
        refused: Refused,
        held: &HeldCharges,
    ) -> Decision {
        let inner = &*self.0;
        let mut denied = Denied { violated: SmallVec::new(), reports: SmallVec::new() };
        for held in held {
            let engine = &inner.policies[held.policy].engine;
            engine.refund(held.subject, held.receipt);
            let report = engine.report(held.subject);
            denied.reports.push(PolicyReport { policy: held.policy, report });
        }
        denied.add(inner, first, refused);
        for (index, active) in inner.policies.iter().enumerate().skip(first + 1) {
            let policy = &active.policy;
            let skipped = policy.skip.as_ref().is_some_and(|skip| (skip.0)(request));
            if active.is_shadow(self.clock()) || skipped {
                continue;
            }
            let Some(subject) = active.subject(request, &inner.secret) else { continue };
            match active.engine.probe(subject, policy.cost.of(request)) {
                Err(refused) => denied.add(inner, index, refused),
                Ok(()) => {
                    let report = active.engine.report(subject);
                    denied.reports.push(PolicyReport { policy: index, report });
                }
            }
        }
        Decision::Denied(denied)
    }
}

const MISSING_KEY: Refused = Refused {
    wait: Wait::Never,
    reason: Reason::MissingKey,
    report: Report {
        capacity: 0,
        window: 0,
        standing: crate::local::Standing { remaining: 0, more_in: 0 },
    },
};
