use std::time::Duration;

/// A trouble of the simulated store.
///
/// ```
/// use std::time::Duration;
///
/// use obs_ratelimit::sim::{Fault, Fleet, Load};
/// use obs_ratelimit::{LeaseConfig, Quota};
///
/// let outage = Fault::Outage { from: Duration::from_secs(1), until: Duration::from_secs(2) };
/// let report = Fleet::new(Quota::per_second(100), LeaseConfig::new())
///     .nodes(3)
///     .load(Load::Even { per_second: 50.0 })
///     .fault(outage)
///     .run_for(Duration::from_secs(3), 7)?;
/// assert!(report.admitted > 0);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No call reaches the store; callers wait for their time-out.
    Outage {
        /// When it begins.
        from: Duration,
        /// When it ends.
        until: Duration,
    },
    /// Calls are applied and their answers are lost.
    LostAnswers {
        /// When it begins.
        from: Duration,
        /// When it ends.
        until: Duration,
    },
    /// Calls are refused at once with a request for fewer.
    Throttling {
        /// When it begins.
        from: Duration,
        /// When it ends.
        until: Duration,
    },
    /// The nodes with a number below `nodes` do not reach the store.
    Partition {
        /// How many nodes are cut off.
        nodes: usize,
        /// When it begins.
        from: Duration,
        /// When it ends.
        until: Duration,
    },
}

/// What a fault does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Lost,
    AnswerLost,
    Throttled,
}

impl Fault {
    /// What it does to a call that `node` makes at `at`.
    pub(super) fn effect(self, node: usize, at: Duration) -> Option<Effect> {
        let (from, until, effect) = match self {
            Self::Outage { from, until } => (from, until, Effect::Lost),
            Self::LostAnswers { from, until } => (from, until, Effect::AnswerLost),
            Self::Throttling { from, until } => (from, until, Effect::Throttled),
            Self::Partition { nodes, from, until } if node < nodes => (from, until, Effect::Lost),
            Self::Partition { .. } => return None,
        };
        (from <= at && at < until).then_some(effect)
    }
}
