use std::time::Duration;

use http::request;
use smallvec::SmallVec;

use super::reservation::{Held, HeldCharges};
use super::{Active, Check, Inner, Limiter, RequestCost, Reservation};
use crate::engine::{Reason, Refused, Report, Spent, Subject, Tell};
use crate::lease::{Fallback, NameOf};
use crate::local::Wait;
use crate::policy::OnMissingKey;
use crate::store::StoreKey;

/// What all policies together say.
#[derive(Debug)]
pub(crate) enum Decision {
    Passed(Passed),
    Denied(Denied),
    /// A store must be asked about these.
    Pending(Pending),
}

/// A request that may pass.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// What must be settled when the request ends.
    pub(crate) reservation: Option<Box<Reservation>>,
    /// Where every policy stands, if headers may tell it.
    pub(crate) reports: Reports,
    /// The step of the ladder, if a store is missing.
    pub(crate) fallback: Option<Fallback>,
}

impl Passed {
    /// Whether headers have anything to say.
    #[inline]
    pub(crate) fn tells(&self) -> bool {
        !self.reports.is_empty() || self.fallback.is_some()
    }
}

/// The standings of a request's keys.
pub(crate) type Reports = SmallVec<[PolicyReport; 1]>;

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
    pub(crate) violated: SmallVec<[(usize, Refused); 1]>,
    pub(crate) reports: Reports,
}

/// What the policies are asked about a request, without the request.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(super) asked: Vec<Asked>,
    pub(super) cost: Option<RequestCost>,
}

/// What a policy is asked about a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(super) policy: usize,
    pub(super) subject: Subject,
    pub(super) name: StoreKey,
    pub(super) cost: u64,
}

impl Denied {
    pub(crate) fn first(&self) -> usize {
        self.violated.first().map_or(0, |(policy, _)| *policy)
    }

    fn add(&mut self, inner: &Inner, policy: usize, refused: Refused) {
        inner.policies[policy].counters.refused(refused.reason, false);
        if refused.report.capacity > 0 && inner.headers.on_refusal() {
            self.reports.push(PolicyReport { policy, report: refused.report });
        }
        self.violated.push((policy, refused));
    }

    /// The longest of the waits; `None` if a wait has no end.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let mut longest = Duration::ZERO;
        for (_, refused) in &self.violated {
            longest = longest.max(refused.wait.to_caller()?);
        }
        Some(longest)
    }

    pub(crate) fn fallback(&self) -> Option<Fallback> {
        self.violated.iter().find_map(|(_, refused)| refused.fallback)
    }

    /// Whether it is a missing store that refuses, and no quota.
    pub(crate) fn is_closed(&self) -> bool {
        self.violated.iter().any(|(_, refused)| refused.reason == Reason::Closed)
    }
}

impl Wait {
    /// What a caller is told to wait; `None` for a wait without end. For a place that a running
    /// request holds it is 1 s.
    #[inline]
    pub(super) const fn to_caller(self) -> Option<Duration> {
        match self {
            Self::Nanos(nanos) => Some(Duration::from_nanos(nanos)),
            Self::Unknown => Some(Duration::from_secs(1)),
            Self::Never => None,
        }
    }
}

/// What the policies asked so far have said.
#[derive(Default)]
pub(super) struct Said {
    /// Whether every charge may come to another cost.
    pub(super) names: bool,
    pub(super) passed: Passed,
    pub(super) held: HeldCharges,
}

/// What one policy says; a charge it made is among those [`Said`].
pub(super) enum Answer {
    Passes,
    Refused(Refused),
    Await,
}

impl Limiter {
    /// Asks every policy in turn; charges all of them or none.
    #[inline]
    pub(crate) fn decide(&self, request: &request::Parts, tell: Tell) -> Decision {
        self.decide_by(request, tell, false)
    }

    /// As [`decide`](Self::decide), where every charge may still be taken back.
    pub(super) fn decide_and_hold(&self, request: &request::Parts) -> Decision {
        self.decide_by(request, Tell::Nothing, true)
    }

    fn decide_by(&self, request: &request::Parts, tell: Tell, hold: bool) -> Decision {
        let inner = &*self.0;
        if inner.skip.as_ref().is_some_and(|skip| (skip.0)(request)) {
            return Decision::Passed(Passed::default());
        }
        let mut said = Said { names: hold, ..Said::default() };
        for (index, active) in inner.policies.iter().enumerate() {
            // Nobody can refuse after the last: what it charges is only kept to be settled.
            let keep = hold || active.settles || index + 1 < inner.policies.len();
            match self.ask(index, active, request, (tell, keep), &mut said) {
                Answer::Passes => {}
                Answer::Refused(refused) => {
                    return Decision::Denied(
                        self.deny(index, refused, &said.held, || self.asked(request, index + 1)),
                    );
                }
                Answer::Await => {
                    self.take_back(&said.held);
                    let cost = self.late_cost(request);
                    let asked = self.asked(request, 0);
                    return Decision::Pending(Pending { asked, cost });
                }
            }
        }
        self.pass(&mut said, hold, || self.late_cost(request));
        Decision::Passed(said.passed)
    }

    /// Asks one policy about one key. What it charges stays charged; a place is given back.
    #[inline]
    pub(super) fn charge_key(
        &self,
        index: usize,
        subject: Subject,
        name: NameOf<'_>,
        cost: u64,
    ) -> Check {
        let active = &self.0.policies[index];
        match active.engine.spend(subject, name, cost, Tell::Nothing) {
            Spent::Admitted { receipt, fallback, .. } => {
                active.counters.admitted.add();
                self.count(fallback);
                if active.holds_places {
                    active.engine.refund(subject, None, receipt);
                }
                Check::ADMITTED
            }
            // It cannot wait for a store; the others do.
            Spent::Unlimited | Spent::Await => Check::ADMITTED,
            Spent::Refused(refused) => {
                if active.policy.charge_refused {
                    active.engine.debit(subject, name, cost);
                }
                let is_shadow = active.is_shadow(self.clock());
                active.counters.refused(refused.reason, is_shadow);
                if is_shadow {
                    return Check::ADMITTED;
                }
                self.count(refused.fallback);
                let refused_by = Some(active.policy.name.clone());
                Check { refused_by, retry_after: refused.wait.to_caller() }
            }
        }
    }

    /// Counts a decision that was made without its store.
    #[inline]
    fn count(&self, fallback: Option<Fallback>) {
        if let Some(fallback) = fallback {
            self.0.fallbacks[fallback as usize].add();
        }
    }

    fn late_cost(&self, request: &request::Parts) -> Option<RequestCost> {
        if self.0.late_cost { RequestCost::of(request) } else { None }
    }

    /// Every policy has admitted the request.
    #[inline]
    pub(super) fn pass(
        &self,
        said: &mut Said,
        hold: bool,
        cost: impl FnOnce() -> Option<RequestCost>,
    ) {
        let policies = &self.0.policies;
        let mut settles = hold;
        for held in &said.held {
            policies[held.policy].counters.admitted.add();
            settles |= policies[held.policy].settles;
        }
        self.count(said.passed.fallback);
        if settles {
            let mut held = std::mem::take(&mut said.held);
            held.retain(|held| hold || policies[held.policy].settles);
            let reservation = Reservation::new(self.clone(), held, cost());
            said.passed.reservation = Some(Box::new(reservation));
        }
    }

    #[inline]
    fn ask(
        &self,
        index: usize,
        active: &Active,
        request: &request::Parts,
        (tell, keep): (Tell, bool),
        said: &mut Said,
    ) -> Answer {
        let policy = &active.policy;
        if policy.skip.as_ref().is_some_and(|skip| (skip.0)(request)) {
            return Answer::Passes;
        }
        let Some(subject) = active.subject(request, &self.0.secret) else {
            return match policy.on_missing_key {
                OnMissingKey::Refuse => Answer::Refused(MISSING_KEY),
                OnMissingKey::Share | OnMissingKey::Skip => Answer::Passes,
            };
        };
        let cost = policy.cost.of(request);
        let name = || active.name(request, &self.0.secret);
        let spent = active.engine.spend(subject, &name, cost, tell);
        if !keep && let Spent::Admitted { report, fallback, .. } = spent {
            active.counters.admitted.add();
            said.passed.note(index, report, fallback);
            return Answer::Passes;
        }
        self.answer(index, subject, &name, cost, spent, said)
    }

    /// Reads what an engine says as what its policy says.
    #[inline]
    pub(super) fn answer(
        &self,
        index: usize,
        subject: Subject,
        name: NameOf<'_>,
        cost: u64,
        spent: Spent,
        said: &mut Said,
    ) -> Answer {
        let active = &self.0.policies[index];
        match spent {
            Spent::Unlimited => Answer::Passes,
            Spent::Await => Answer::Await,
            Spent::Admitted { receipt, report, fallback } => {
                let name = (said.names || active.names_charges).then(name);
                said.held.push(Held { policy: index, subject, receipt, cost, name });
                said.passed.note(index, report, fallback);
                Answer::Passes
            }
            Spent::Refused(refused) => {
                if active.policy.charge_refused {
                    active.engine.debit(subject, name, cost);
                }
                if active.is_shadow(self.clock()) {
                    active.counters.refused(refused.reason, true);
                    return Answer::Passes;
                }
                Answer::Refused(refused)
            }
        }
    }

    /// What the policies from `first` on are asked about a request.
    fn asked(&self, request: &request::Parts, first: usize) -> Vec<Asked> {
        let inner = &*self.0;
        let asked = |(index, active): (usize, &Active)| {
            let policy = &active.policy;
            if policy.skip.as_ref().is_some_and(|skip| (skip.0)(request)) {
                return None;
            }
            let subject = active.subject(request, &inner.secret)?;
            let name = active.name(request, &inner.secret);
            Some(Asked { policy: index, subject, name, cost: policy.cost.of(request) })
        };
        inner.policies.iter().enumerate().skip(first).filter_map(asked).collect()
    }

    /// Takes back what the policies before `first` charged, and asks those after it how long the
    /// request would have to wait for them.
    pub(super) fn deny(
        &self,
        first: usize,
        refused: Refused,
        held: &[Held],
        rest: impl FnOnce() -> Vec<Asked>,
    ) -> Denied {
        let inner = &*self.0;
        let mut denied = Denied::default();
        self.take_back(held);
        for held in held {
            denied.tell(inner, held.policy, held.subject);
        }
        denied.add(inner, first, refused);
        if first + 1 < inner.policies.len() {
            for asked in rest() {
                let active = &inner.policies[asked.policy];
                if active.is_shadow(self.clock()) {
                    continue;
                }
                match active.engine.probe(asked.subject, asked.cost) {
                    Err(refused) => denied.add(inner, asked.policy, refused),
                    Ok(()) => denied.tell(inner, asked.policy, asked.subject),
                }
            }
        }
        self.count(denied.fallback());
        denied
    }
}

impl Denied {
    /// Adds where a policy stands that did not refuse.
    fn tell(&mut self, inner: &Inner, policy: usize, subject: Subject) {
        if inner.headers.on_refusal()
            && let Some(report) = inner.policies[policy].engine.report(subject)
        {
            self.reports.push(PolicyReport { policy, report });
        }
    }
}

impl Passed {
    #[inline]
    fn note(&mut self, policy: usize, report: Option<Report>, fallback: Option<Fallback>) {
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
