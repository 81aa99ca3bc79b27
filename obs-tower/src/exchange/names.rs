use std::time::Duration;

use http::{Method, Uri, Version};
use obs_core::log::ValueRef;

/// What stands for the route of a request that matched none.
pub const UNMATCHED: &str = "__unmatched__";

/// What stands for a method that HTTP does not define, as in OpenTelemetry's
/// [conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
pub const OTHER_METHOD: &str = "_OTHER";

/// The method's name if it is one that HTTP defines, else [`OTHER_METHOD`].
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER_METHOD,
    }
}

pub(crate) fn scheme(uri: &Uri) -> &'static str {
    if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { "https" } else { "http" }
}

/// The version of HTTP as `network.protocol.version` has it.
pub(crate) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// Milliseconds with three decimals.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    microseconds(duration) as f64 / 1_000.0
}

/// Milliseconds with three decimals, as a line writes them.
pub(crate) fn in_milliseconds(duration: Duration) -> ValueRef<'static> {
    ValueRef::Thousandths(microseconds(duration))
}

/// Whole microseconds: in 64 bits, because the division of more is slow.
fn microseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_http_does_not_define_is_not_named() {
        assert_eq!(method_name(&Method::PATCH), "PATCH");
        assert_eq!(method_name(&Method::from_bytes(b"DROP-TABLE").unwrap()), "_OTHER");
    }
}
