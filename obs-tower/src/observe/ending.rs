use std::borrow::Cow;
use std::ops::Deref;

use obs_core::clock::Instant;
use obs_core::outcome::Outcome;
use tracing::Level;

use super::recording::Recording;
use crate::exchange::{End, PanicMessage, Verdict};

/// How a request ended.
#[derive(Debug)]
pub(super) struct Ending {
    verdict: Verdict,
    /// What lines, metrics and span each ask of the verdict.
    is_fault: bool,
    level: Level,
    pub(super) panic: Option<PanicMessage>,
    /// The response was still being sent when its record was written.
    pub(super) held: bool,
    pub(super) at: Instant,
}

/// What the observer knows at the end and the exit does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) now: Instant,
    pub(super) stopping: bool,
    pub(super) deadline_has_passed: bool,
}

impl Ending {
    /// Names the end of `recording`; what a handler said went wrong takes precedence over what
    /// the exit saw.
    pub(super) fn of(
        recording: &Recording,
        end: End,
        said: Option<Cow<'static, str>>,
        circumstances: Circumstances,
    ) -> Self {
        let response = recording.response.as_ref();
        let status = response.map(|response| response.status);
        let verdict = response.and_then(|response| response.verdict);
        let dropped = dropped(response.is_some(), circumstances);
        let mut verdict = Verdict::of(&end, status, verdict, dropped);
        verdict.error_kind = said.or(verdict.error_kind);
        let answered = response.and_then(|response| response.grpc_status);
        verdict.grpc_status = verdict.grpc_status.or(answered);
        let held = matches!(end, End::Held);
        let panic = if let End::Panicked(message) = end { Some(message) } else { None };
        let (is_fault, level) = (verdict.is_fault(), verdict.level());
        Self { verdict, is_fault, level, panic, held, at: circumstances.now }
    }

    pub(super) const fn is_fault(&self) -> bool {
        self.is_fault
    }

    pub(super) const fn level(&self) -> Level {
        self.level
    }
}

impl Deref for Ending {
    type Target = Verdict;

    fn deref(&self) -> &Verdict {
        &self.verdict
    }
}

/// What it means that nobody waited for the end of a request.
fn dropped(answered: bool, circumstances: Circumstances) -> Outcome {
    if circumstances.stopping {
        Outcome::Shutdown
    } else if circumstances.deadline_has_passed {
        Outcome::DeadlineExceeded
    } else if answered {
        Outcome::CancelledInBody
    } else {
        Outcome::CancelledBeforeHeaders
    }
}
