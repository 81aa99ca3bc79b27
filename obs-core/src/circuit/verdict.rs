use crate::outcome::Outcome;

/// What an outcome means for a breaker; how long the call took comes on top.
///
/// ```
/// use obs_core::circuit::Verdict;
/// use obs_core::outcome::{Outcome, Rejection};
///
/// assert_eq!(Verdict::of(Outcome::ServerError), Verdict::Failure);
/// assert_eq!(Verdict::of(Outcome::Rejected(Rejection::Bulkhead)), Verdict::Ignored);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The other side did its work.
    Success,
    /// The other side did not.
    Failure,
    /// Says nothing about the other side: it changes no rate and no streak.
    Ignored,
}

impl Verdict {
    /// The default: faults of the other side fail, refusals on this side and callers that went
    /// away are ignored, everything else succeeds, 4xx included.
    #[inline]
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success | Outcome::ClientError => Self::Success,
            Outcome::CancelledBeforeHeaders
            | Outcome::CancelledInBody
            | Outcome::Rejected(_)
            | Outcome::Shutdown => Self::Ignored,
            Outcome::ServerError
            | Outcome::Panic
            | Outcome::ServiceError
            | Outcome::BodyError
            | Outcome::TruncatedBody
            | Outcome::DeadlineExceeded => Self::Failure,
        }
    }
}
