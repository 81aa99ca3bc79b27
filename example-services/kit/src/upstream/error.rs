use std::error::Error;
use std::fmt;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// A call to another service that did not bring what was asked for.
#[derive(Debug)]
pub struct UpstreamError {
    service: &'static str,
    kind: UpstreamErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum UpstreamErrorKind {
    /// No connection, or it broke before the answer.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// An answer with a status of 400 or more, and the members of its problem document.
    Refused(StatusCode, Map<String, Value>),
    /// An answer, or a request, that cannot be read.
    Garbled,
}

impl UpstreamError {
    /// A call to `service` failed.
    #[must_use]
    pub const fn new(service: &'static str, kind: UpstreamErrorKind) -> Self {
        Self { service, kind, source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Why it failed.
    #[must_use]
    pub const fn kind(&self) -> &UpstreamErrorKind {
        &self.kind
    }

    /// Whether the same call may succeed later: the service is away, slow, or says that it is busy or
    /// broken.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match &self.kind {
            UpstreamErrorKind::Unreachable | UpstreamErrorKind::TimedOut => true,
            UpstreamErrorKind::Refused(status, _) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            UpstreamErrorKind::Garbled => false,
        }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.service;
        match &self.kind {
            UpstreamErrorKind::Unreachable => write!(f, "the {service} service is not reachable"),
            UpstreamErrorKind::TimedOut => {
                write!(f, "the {service} service did not answer in time")
            }
            UpstreamErrorKind::Refused(status, _) => {
                write!(f, "the {service} service answered {}", status.as_u16())
            }
            UpstreamErrorKind::Garbled => write!(f, "the {service} service answered unreadably"),
        }
    }
}

impl Error for UpstreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<UpstreamError> for Failure {
    /// What the caller of a service is told when a service behind it fails: 504 when it was slow,
    /// 503 when it is down or busy, 502 for everything else.
    fn from(error: UpstreamError) -> Self {
        let detail = error.to_string();
        let cause = error.source().map(ToString::to_string);
        tracing::warn!(error = detail, cause = cause.as_deref(), "upstream failed");
        match error.kind {
            UpstreamErrorKind::TimedOut => Self::status(StatusCode::GATEWAY_TIMEOUT, detail),
            UpstreamErrorKind::Unreachable
            | UpstreamErrorKind::Refused(
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS,
                _,
            ) => Self::unavailable(detail),
            _ => Self::status(StatusCode::BAD_GATEWAY, detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_temporary() {
        let refused = |status| UpstreamErrorKind::Refused(status, Map::new());
        let is_temporary = |kind| UpstreamError::new("order", kind).is_temporary();
        for kind in [
            UpstreamErrorKind::Unreachable,
            UpstreamErrorKind::TimedOut,
            refused(StatusCode::SERVICE_UNAVAILABLE),
            refused(StatusCode::TOO_MANY_REQUESTS),
        ] {
            assert!(is_temporary(kind.clone()), "{kind:?}");
        }
        for kind in [UpstreamErrorKind::Garbled, refused(StatusCode::NOT_FOUND)] {
            assert!(!is_temporary(kind.clone()), "{kind:?}");
        }
    }
}
