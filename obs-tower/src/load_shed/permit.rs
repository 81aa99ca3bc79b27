use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::Instant;
use obs_core::deadline::Deadline;
use obs_core::outcome::{Outcome, Rejection};

use super::LoadShed;
use crate::reject::Rejected;

/// A call was shed.
///
/// ```
/// use obs_tower::load_shed::{LoadShed, LoadShedConfig};
/// use obs_tower::priority::Priority;
///
/// let config = LoadShedConfig::new().min_limit(1).initial_limit(1).max_limit(1);
/// let shed = LoadShed::builder("orders").config(config).build()?;
/// let _permit = shed.try_acquire(Priority::Critical).expect("there is room");
/// let refused = shed.try_acquire(Priority::Critical).unwrap_err();
/// assert!(refused.to_string().contains("orders"));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    pub(super) name: Arc<str>,
    pub(super) retry_after: Duration,
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shed by {}", self.name)
    }
}

impl std::error::Error for Shed {}

impl From<Shed> for Rejected {
    fn from(shed: Shed) -> Self {
        Self::new(Rejection::LoadShed, shed.name).retry_after(Some(shed.retry_after))
    }
}

/// What a call says about the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Latency,
    Overload,
    Nothing,
}

impl Sample {
    pub(super) const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success | Outcome::ClientError => Self::Latency,
            Outcome::DeadlineExceeded | Outcome::Rejected(_) => Self::Overload,
            _ => Self::Nothing,
        }
    }
}

/// A call that was let in, without the limit. Whoever has one tells its end with
/// [`LoadShed::settle`]; a [`LoadShedPermit`] does so by itself.
#[derive(Debug)]
#[must_use = "a call that nobody ends stays in flight"]
pub(crate) struct Ticket {
    pub(super) class: usize,
    /// When it began, in running time, if its duration is wanted.
    pub(super) started: Option<Instant>,
    pub(super) deadline: Option<Deadline>,
}

/// A call that was let in, until its end.
///
/// Dropped without an outcome it is overload if its deadline had passed, and says nothing otherwise.
///
/// ```
/// use obs_core::outcome::Outcome;
/// use obs_tower::load_shed::LoadShed;
/// use obs_tower::priority::Priority;
///
/// let shed = LoadShed::builder("orders").build()?;
/// let permit = shed.try_acquire(Priority::Normal).expect("there is room");
/// permit.settle(Outcome::Success);
/// assert_eq!(shed.in_flight(), 0);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a permit at once says that the call was cancelled"]
pub struct LoadShedPermit {
    shed: LoadShed,
    ticket: Option<Ticket>,
    waits: bool,
}

impl LoadShedPermit {
    #[inline]
    pub(super) const fn new(shed: LoadShed, ticket: Ticket) -> Self {
        Self { shed, ticket: Some(ticket), waits: false }
    }

    pub(super) const fn is_fresh(&self) -> bool {
        !self.waits
    }

    /// The call has to wait for its answer, until `deadline` at the latest.
    pub(super) fn waits(&mut self, deadline: Option<Deadline>) {
        self.waits = true;
        if let Some(ticket) = &mut self.ticket {
            ticket.deadline = deadline;
        }
    }

    /// Tells how the call ended.
    #[inline]
    pub fn settle(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    #[inline]
    pub(super) fn end(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.shed.settle(ticket, Some(outcome), self.shed.clock().coarse());
        }
    }
}

impl Drop for LoadShedPermit {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shed.settle(ticket, None, self.shed.clock().coarse());
        }
    }
}
