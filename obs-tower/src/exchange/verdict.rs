use std::borrow::Cow;

use http::StatusCode;
use obs_core::outcome::Outcome;
use tracing::Level;

use super::{End, GrpcStatus};

/// How an exchange ended, in the terms that lines, metrics and spans share.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// The status on the wire; `None` if none was sent.
    pub(crate) status: Option<u16>,
    pub(crate) grpc_status: Option<GrpcStatus>,
    pub(crate) error_kind: Option<Cow<'static, str>>,
}

impl Verdict {
    /// Names an end.
    ///
    /// `said` is what a layer within said about the response, which takes precedence over its
    /// status; `dropped` is what it means that nobody waited for the end.
    pub(crate) fn of(
        end: &End,
        status: Option<StatusCode>,
        said: Option<Outcome>,
        dropped: Outcome,
    ) -> Self {
        let failed = |outcome, kind| (outcome, Some(Cow::Borrowed(kind)));
        let (outcome, error_kind) = match end {
            End::Complete | End::Held => (said.unwrap_or(by_status(status)), None),
            End::Trailers(grpc) => {
                let outcome = said.unwrap_or(match by_status(status) {
                    Outcome::Success => grpc.outcome(),
                    by_status => by_status,
                });
                (outcome, (grpc.code() != 0).then(|| grpc.name().into()))
            }
            End::ServiceError(kind) => failed(Outcome::ServiceError, *kind),
            End::BodyError(kind) => failed(Outcome::BodyError, *kind),
            End::Truncated => failed(Outcome::TruncatedBody, "truncated_body"),
            End::Shutdown => failed(Outcome::Shutdown, "shutdown"),
            End::Panicked(_) => failed(Outcome::Panic, "panic"),
            End::Dropped => failed(dropped, dropped.as_str()),
        };
        let grpc_status = match end {
            End::Trailers(status) => Some(*status),
            _ => None,
        };
        Self { outcome, status: status.map(|status| status.as_u16()), grpc_status, error_kind }
    }

    /// Whether it counts as a fault: 5xx, or failed by the service.
    pub(crate) fn is_fault(&self) -> bool {
        self.outcome.is_fault() || self.status.is_some_and(|status| status >= 500)
    }

    /// Whether it counts as an error: 4xx, or what stands for one.
    pub(crate) fn is_error(&self) -> bool {
        let by_status = self.status.is_some_and(|status| (400..500).contains(&status));
        !self.is_fault() && (by_status || self.outcome == Outcome::ClientError)
    }

    /// `ERROR` for faults, `WARN` for errors and for what nobody waited for, else `INFO`.
    pub(crate) fn level(&self) -> Level {
        match self.outcome {
            _ if self.is_fault() => Level::ERROR,
            Outcome::Success if !self.is_error() => Level::INFO,
            _ => Level::WARN,
        }
    }

    /// What `error.type` of the span says: the kind if there is one, else the status.
    pub(crate) fn error_type(&self) -> Option<Cow<'static, str>> {
        let by_status = || self.status.filter(|_| self.is_fault()).map(|s| s.to_string().into());
        self.error_kind.clone().or_else(by_status)
    }
}

fn by_status(status: Option<StatusCode>) -> Outcome {
    status.map_or(Outcome::Success, |status| Outcome::from_status(status.as_u16()))
}
