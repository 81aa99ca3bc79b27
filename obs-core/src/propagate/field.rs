//! The names of the header fields and message attributes.
//!
//! ```
//! use obs_core::propagate::field;
//!
//! assert_eq!(field::TRACEPARENT, "traceparent");
//! ```

use http::HeaderName;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub static $name: HeaderName = HeaderName::from_static($text);)*
    };
}

fields! {
    /// `traceparent`, [W3C Trace Context](https://www.w3.org/TR/trace-context-2/#traceparent-header).
    TRACEPARENT = "traceparent";
    /// `tracestate`, [W3C Trace Context](https://www.w3.org/TR/trace-context-2/#tracestate-header).
    TRACESTATE = "tracestate";
    /// `X-Amzn-Trace-Id`,
    /// [X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
    X_AMZN_TRACE_ID = "x-amzn-trace-id";
    /// `baggage`, [W3C Baggage](https://www.w3.org/TR/baggage/).
    BAGGAGE = "baggage";
    /// `x-correlation-id`.
    X_CORRELATION_ID = "x-correlation-id";
    /// `x-request-id`, read where there is no `x-correlation-id`.
    X_REQUEST_ID = "x-request-id";
    /// `x-tenant-id`.
    X_TENANT_ID = "x-tenant-id";
    /// `x-user-id`.
    X_USER_ID = "x-user-id";
    /// `x-request-timeout`: milliseconds left, in decimal.
    X_REQUEST_TIMEOUT = "x-request-timeout";
    /// `grpc-timeout`, read where there is no `x-request-timeout`:
    /// [gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
    GRPC_TIMEOUT = "grpc-timeout";
    /// `x-request-attempt`: 1 for the first attempt.
    X_REQUEST_ATTEMPT = "x-request-attempt";
    /// `x-obs-debug`: a signed request for more lines.
    X_OBS_DEBUG = "x-obs-debug";
}
