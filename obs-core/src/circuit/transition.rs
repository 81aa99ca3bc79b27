use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::State;
use crate::clock::Timestamp;

/// A change of a breaker's state.
///
/// ```
/// use obs_core::circuit::{CircuitBreaker, Reason, State};
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// breaker.on_transition(|transition| eprintln!("{} is now {}", transition.name, transition.to.as_str()));
/// breaker.disable(None);
///
/// let transitions = breaker.transitions();
/// assert_eq!((transitions[0].from, transitions[0].to), (State::Closed, State::Disabled));
/// assert_eq!(transitions[0].reason, Reason::Operator);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The breaker.
    pub name: Arc<str>,
    /// The state left.
    pub from: State,
    /// The state entered.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// For an operator's action: who and why, as they said.
    pub note: Option<Arc<str>>,
}

/// Why a breaker changed its state.
///
/// ```
/// use obs_core::circuit::Reason;
///
/// assert_eq!(Reason::SlowCallRate.as_str(), "slow_call_rate");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The failure rate reached its threshold.
    FailureRate,
    /// The slow-call rate reached its threshold.
    SlowCallRate,
    /// Calls hang in flight for longer than the slow threshold.
    HungCalls,
    /// That many failures in a row.
    ConsecutiveFailures,
    /// The open wait is over.
    WaitElapsed,
    /// The probes went well.
    ProbesSucceeded,
    /// The probes went badly.
    ProbesFailed,
    /// A probe did not end in time.
    ProbeTimeLimit,
    /// An operator asked for it.
    Operator,
    /// The time limit of an operator's action is over.
    OverrideExpired,
}

impl Reason {
    /// The name used in lines and documents, in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailureRate => "failure_rate",
            Self::SlowCallRate => "slow_call_rate",
            Self::HungCalls => "hung_calls",
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::WaitElapsed => "wait_elapsed",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbesFailed => "probes_failed",
            Self::ProbeTimeLimit => "probe_time_limit",
            Self::Operator => "operator",
            Self::OverrideExpired => "override_expired",
        }
    }
}

/// Who is told of transitions.
#[derive(Clone)]
pub(super) struct Listener(pub(super) Arc<dyn Fn(&Transition) + Send + Sync>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// The last transitions, and those that listeners have yet to hear of.
#[derive(Debug, Default)]
pub(super) struct Journal {
    history: VecDeque<Transition>,
    untold: VecDeque<Transition>,
    telling: bool,
}

const HISTORY: usize = 16;

impl Journal {
    pub(super) fn add(&mut self, transition: Transition) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(transition.clone());
        self.untold.push_back(transition);
    }

    pub(super) fn history(&self) -> impl Iterator<Item = &Transition> {
        self.history.iter()
    }

    /// Makes the caller the one who tells; `false` if another thread, or a caller further up the
    /// stack, already is and will tell of this too.
    pub(super) fn begin_telling(&mut self) -> bool {
        !std::mem::replace(&mut self.telling, true)
    }

    /// The next transition to tell of; `None` ends the telling.
    pub(super) fn next_untold(&mut self) -> Option<Transition> {
        let next = self.untold.pop_front();
        self.telling = next.is_some();
        next
    }
}
