use std::time::Duration;

use http::request;
use smallvec::SmallVec;

use super::reservation::Held;
use super::{Active, Inner, Limiter, Reservation};
use crate::engine::{Reason, Refused, Report, Spent, Subject};
use crate::lease::Fallback;
use crate::local::Wait;
use crate::policy::OnMissingKey;
use crate::store::StoreKey;

/// Policies that are followed without allocation.
pub(crate) const INLINE: usize = 4;

/// What all policies together say.
#[derive(Debug)]
pub(crate) enum Decision {
    Passed(Passed),
    Denied(Denied),
    /// A store must be asked about these.
    Pending(Vec<Asked>),
}

/// A request that may pass.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// What must be settled when the request ends.
    pub(crate) reservation: Option<Reservation>,
    pub(crate) reports: SmallVec<[PolicyReport; INLINE]>,
    /// The step of the ladder, if a store is missing.
    pub(crate) fallback: Option<Fallback>,
}

/// The standing of the request's key under the policy with this index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyReport {
    pub(crate) policy: usize,
    pub(crate) report: Report,
}

/// A request that must not pass.
#[derive(Debug, Default)]
pub(crate) struct Denied {
    /// The policies that refused, at least one.
    pub(crate) violated: SmallVec<[(usize, Refused); INLINE]>,
    pub(crate) reports: SmallVec<[PolicyReport; INLINE]>,
}

/// What a policy is asked about a request, without the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(super) policy: usize,
    pub(super) subject: Subject,
    pub(super) key: StoreKey,
    pub(super) cost: u64,
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

    /// The longest of the waits; `None` if a wait has no end.
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

    pub(crate) fn fallback(&self) -> Option<Fallback> {
        self.violated.iter().find_map(|(_, refused)| refused.fallback)
    }

    /// Whether it is a missing store that refuses, and no quota.
    pub(crate) fn is_closed(&self) -> bool {
        self.violated.iter().any(|(_, refused)| refused.reason == Reason::Closed)
    }
}

/// What a caller is told to wait for a place that a running request holds: 1 s.
const UNKNOWN_WAIT: u64 = 1_000_000_000;

pub(super) type HeldCharges = SmallVec<[Held; INLINE]>;

/// What one policy says.
pub(super) enum Answer {
    /// It does not see the request.
    Absent,
    Admitted(Held, Option<Report>, Option<Fallback>),
    Refused(Refused),
    Await,
}

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
            match self.ask(index, active, request, report) {
                Answer::Absent => {}
                Answer::Admitted(charge, report, fallback) => {
                    held.push(charge);
                    passed.note(index, report, fallback);
                }
                Answer::Refused(refused) => {
                    let rest = self.asked(request, index + 1);
                    return Decision::Denied(self.deny(index, refused, &held, rest));
                }
                Answer::Await => {
                    self.take_back(&held);
                    return Decision::Pending(self.asked(request, 0).collect());
                }
            }
        }
        self.pass(&mut passed, held);
        Decision::Passed(passed)
    }

    /// Every policy has admitted the request.
    pub(super) fn pass(&self, passed: &mut Passed, mut held: HeldCharges) {
        let policies = &self.0.policies;
        for held in &held {
            policies[held.policy].counters.admitted.add();
        }
        if let Some(fallback) = passed.fallback {
            self.0.fallbacks[fallback as usize].add();
        }
        if held.iter().any(|held| policies[held.policy].settles) {
            held.retain(|held| policies[held.policy].settles);
            passed.reservation = Some(Reservation::new(self.clone(), held));
        }
    }

    #[inline]
    fn ask(&self, index: usize, active: &Active, request: &request::Parts, report: bool) -> Answer {
        let policy = &active.policy;
        if policy.skip.as_ref().is_some_and(|skip| (skip.0)(request)) {
            return Answer::Absent;
        }
        let Some((subject, key)) = active.subject(request, &self.0.secret) else {
            return match policy.on_missing_key {
                OnMissingKey::Refuse => Answer::Refused(MISSING_KEY),
                OnMissingKey::Share | OnMissingKey::Skip => Answer::Absent,
            };
        };
        let cost = policy.cost.of(request);
        let shared = || self.0.secret.shared(policy.name(), key.as_bytes());
        let spent = active.engine.spend(subject, &shared, cost, report);
        self.answer(index, subject, cost, spent)
    }

    /// Reads what an engine says as what its policy says.
    #[inline]
    pub(super) fn answer(&self, index: usize, subject: Subject, cost: u64, spent: Spent) -> Answer {
        match spent {
            Spent::Unlimited => Answer::Absent,
            Spent::Await => Answer::Await,
            Spent::Admitted { receipt, report, fallback } => {
                Answer::Admitted(Held { policy: index, subject, receipt }, report, fallback)
            }
            Spent::Refused(refused) => {
                let active = &self.0.policies[index];
                if active.policy.charge_refused {
                    active.engine.debit(subject, cost);
                }
                if active.is_shadow(self.clock()) {
                    active.counters.refused(refused.reason, true);
                    return Answer::Absent;
                }
                Answer::Refused(refused)
            }
        }
    }

    /// What the policies from `first` on are asked about a request.
    fn asked<'a>(
        &'a self,
        request: &'a request::Parts,
        first: usize,
    ) -> impl Iterator<Item = Asked> + 'a {
        let inner = &*self.0;
        inner.policies.iter().enumerate().skip(first).filter_map(move |(index, active)| {
            let policy = &active.policy;
            if policy.skip.as_ref().is_some_and(|skip| (skip.0)(request)) {
                return None;
            }
            let (subject, key) = active.subject(request, &inner.secret)?;
            let key = inner.secret.shared(policy.name(), key.as_bytes());
            Some(Asked { policy: index, subject, key, cost: policy.cost.of(request) })
        })
    }

    pub(super) fn take_back(&self, held: &[Held]) {
        for held in held {
            self.0.policies[held.policy].engine.refund(held.subject, held.receipt);
        }
    }

    /// Takes back what the policies before `first` charged, and asks those after it how long the
    /// request would have to wait for them.
    #[cold]
    pub(super) fn deny(
        &self,
        first: usize,
        refused: Refused,
        held: &[Held],
        rest: impl Iterator<Item = Asked>,
    ) -> Denied {
        let inner = &*self.0;
        let mut denied = Denied::default();
        self.take_back(held);
        for held in held {
            let report = inner.policies[held.policy].engine.report(held.subject);
            denied.reports.push(PolicyReport { policy: held.policy, report });
        }
        denied.add(inner, first, refused);
        for asked in rest {
            let active = &inner.policies[asked.policy];
            if active.is_shadow(self.clock()) {
                continue;
            }
            match active.engine.probe(asked.subject, asked.cost) {
                Err(refused) => denied.add(inner, asked.policy, refused),
                Ok(()) => {
                    let report = active.engine.report(asked.subject);
                    denied.reports.push(PolicyReport { policy: asked.policy, report });
                }
            }
        }
        if let Some(fallback) = denied.fallback() {
            inner.fallbacks[fallback as usize].add();
        }
        denied
    }
}

impl Passed {
    pub(super) fn note(
        &mut self,
        policy: usize,
        report: Option<Report>,
        fallback: Option<Fallback>,
    ) {
        if let Some(report) = report {
            self.reports.push(PolicyReport { policy, report });
        }
        self.fallback = self.fallback.or(fallback);
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
    fallback: None,
};
