//! How a request or call ended: one verdict that feeds the line, the metrics, the span, the
//! breaker, the adaptive limit and the retry budget alike.
//!
//! ```
//! use obs_core::outcome::Outcome;
//!
//! assert_eq!(Outcome::from_status(503), Outcome::ServerError);
//! assert!(Outcome::ServerError.is_fault());
//! ```

use std::fmt;

/// How a request or call ended.
///
/// The names of [`Outcome::as_str`] are what lines and metric labels carry.
///
/// ```
/// use obs_core::outcome::Outcome;
///
/// assert_eq!(Outcome::from_status(404), Outcome::ClientError);
/// assert_eq!(Outcome::from_status(503).as_str(), "server_error");
/// assert!(Outcome::Panic.is_fault());
/// assert!(Outcome::CancelledInBody.is_cancelled());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Completed with a status below 400.
    Success,
    /// Completed with a 4xx status.
    ClientError,
    /// Completed with a 5xx status, or a gRPC status that stands for one.
    ServerError,
    /// The handler panicked.
    Panic,
    /// The inner service returned an error instead of a response.
    ServiceError,
    /// The response body failed while it was sent.
    BodyError,
    /// The response body ended before the length its headers promised.
    TruncatedBody,
    /// The client went away before the headers, or the call's future was dropped.
    CancelledBeforeHeaders,
    /// The client went away in the middle of the body.
    CancelledInBody,
    /// The deadline passed.
    DeadlineExceeded,
    /// A limit, breaker or shedder refused the request before its handler ran.
    Rejected(Rejection),
    /// The service was stopped before the request could end.
    Shutdown,
}

/// Which guard refused a request.
///
/// ```
/// use obs_core::outcome::{Outcome, Rejection};
///
/// assert_eq!(Outcome::Rejected(Rejection::RateLimit).as_str(), "rejected_rate_limit");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// A rate limit.
    RateLimit,
    /// An open circuit breaker.
    CircuitBreaker,
    /// A full bulkhead.
    Bulkhead,
    /// The load shedder.
    LoadShed,
    /// Its deadline had passed on arrival.
    Deadline,
}

impl Outcome {
    /// The outcome of a completed HTTP exchange with this status.
    #[must_use]
    pub const fn from_status(status: u16) -> Self {
        match status {
            0..=399 => Self::Success,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }

    /// The name used in lines and metrics, in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Panic => "panic",
            Self::ServiceError => "service_error",
            Self::BodyError => "body_error",
            Self::TruncatedBody => "truncated_body",
            Self::CancelledBeforeHeaders => "cancelled_before_headers",
            Self::CancelledInBody => "cancelled_in_body",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Rejected(Rejection::RateLimit) => "rejected_rate_limit",
            Self::Rejected(Rejection::CircuitBreaker) => "rejected_circuit_breaker",
            Self::Rejected(Rejection::Bulkhead) => "rejected_bulkhead",
            Self::Rejected(Rejection::LoadShed) => "rejected_load_shed",
            Self::Rejected(Rejection::Deadline) => "rejected_deadline",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether the caller went away before the end.
    #[must_use]
    pub const fn is_cancelled(self) -> bool {
        matches!(self, Self::CancelledBeforeHeaders | Self::CancelledInBody)
    }

    /// Whether the service is to blame: such requests count as `Faults`.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(
            self,
            Self::ServerError
                | Self::Panic
                | Self::ServiceError
                | Self::BodyError
                | Self::TruncatedBody
                | Self::DeadlineExceeded
                | Self::Shutdown
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_decides_the_outcome_by_its_class() {
        for (status, outcome) in [
            (200, Outcome::Success),
            (304, Outcome::Success),
            (404, Outcome::ClientError),
            (429, Outcome::ClientError),
            (500, Outcome::ServerError),
            (599, Outcome::ServerError),
        ] {
            assert_eq!(Outcome::from_status(status), outcome);
        }
    }
}
