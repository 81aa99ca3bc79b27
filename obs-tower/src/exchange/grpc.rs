//! The gRPC status, which says how a call ended where HTTP says 200.

use http::{HeaderMap, HeaderValue};
use obs_core::outcome::Outcome;

/// A gRPC status code, 0 to 16.
///
/// <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GrpcStatus(u8);

const UNKNOWN: GrpcStatus = GrpcStatus(2);

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl GrpcStatus {
    /// The status in headers or trailers; one that is no code is `UNKNOWN`, as clients read it.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get("grpc-status")?;
        Some(Self::parse(value).unwrap_or(UNKNOWN))
    }

    fn parse(value: &HeaderValue) -> Option<Self> {
        let code: u8 = match value.as_bytes() {
            [digit @ b'0'..=b'9'] => digit - b'0',
            [b'1', digit @ b'0'..=b'6'] => 10 + digit - b'0',
            _ => return None,
        };
        Some(Self(code))
    }

    /// The code.
    pub(crate) const fn code(self) -> u8 {
        self.0
    }

    /// The code's name, such as `NOT_FOUND`.
    pub(crate) fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }

    /// The outcome that a server reports for the code.
    ///
    /// Which codes are the server's fault follows OpenTelemetry's
    /// [conventions](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/).
    pub(crate) const fn outcome(self) -> Outcome {
        match self.0 {
            0 => Outcome::Success,
            4 => Outcome::DeadlineExceeded,
            2 | 12 | 13 | 14 | 15 => Outcome::ServerError,
            _ => Outcome::ClientError,
        }
    }
}

/// Whether a message of this content type is gRPC; `application/grpc-web` is not, since its
/// trailers are part of the body.
pub(super) fn is_grpc_type(kind: &HeaderValue) -> bool {
    match kind.as_bytes().strip_prefix(b"application/grpc") {
        Some(rest) => rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b";"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &'static str) -> GrpcStatus {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static(text));
        GrpcStatus::from_headers(&headers).unwrap()
    }

    #[test]
    fn each_code_has_its_name_and_outcome() {
        assert_eq!((status("0").name(), status("0").outcome()), ("OK", Outcome::Success));
        assert_eq!(
            (status("5").name(), status("5").outcome()),
            ("NOT_FOUND", Outcome::ClientError)
        );
        assert_eq!(status("4").outcome(), Outcome::DeadlineExceeded);
        assert_eq!(
            (status("13").name(), status("13").outcome()),
            ("INTERNAL", Outcome::ServerError)
        );
        assert_eq!((status("16").code(), status("16").name()), (16, "UNAUTHENTICATED"));
    }

    #[test]
    fn what_is_no_code_is_unknown() {
        for text in ["17", "-1", "00", "1x", "", "999999999999"] {
            assert_eq!(status(text), UNKNOWN, "{text}");
        }
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=x", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc_type(&HeaderValue::from_static(kind)), expected, "{kind}");
        }
    }
}
