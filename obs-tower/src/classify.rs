//! How a response or an error is read as an [`Outcome`], once, for everybody who learns from it.
//!
//! ```
//! use http::Response;
//! use obs_core::outcome::Outcome;
//! use obs_tower::classify::{Classify, HttpStatus};
//!
//! let response = Response::builder().status(404).body(()).unwrap();
//! let result: Result<_, &std::io::Error> = Ok(&response);
//! assert_eq!(HttpStatus.classify(result), Outcome::ClientError);
//! ```

use std::any::Any;

use http::Response;
use obs_core::outcome::Outcome;

use crate::reject::Rejected;

/// Reads the result of a call.
///
/// Implemented by [`HttpStatus`], [`GrpcStatus`], [`AnyResponse`] and by functions
/// `Fn(Result<&Response, &Error>) -> Outcome`.
///
/// ```
/// use http::Response;
/// use obs_core::outcome::Outcome;
/// use obs_tower::classify::Classify;
///
/// // A partner that answers 200 and says in a header that it failed.
/// fn partner<B, E>(result: Result<&Response<B>, &E>) -> Outcome {
///     match result {
///         Ok(response) if response.headers().contains_key("x-error") => Outcome::ServerError,
///         Ok(response) => Outcome::from_status(response.status().as_u16()),
///         Err(_) => Outcome::ServiceError,
///     }
/// }
///
/// let failed = Response::builder().header("x-error", "1").body(()).unwrap();
/// let outcome = partner::<_, ()>.classify(Ok(&failed));
/// assert_eq!(outcome, Outcome::ServerError);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not read the outcome of `{Res}` or `{Err}`",
    note = "`HttpStatus` and `GrpcStatus` read HTTP responses; for others give a function to `classify_with`"
)]
pub trait Classify<Res, Err> {
    /// The outcome of a call that ended with `result`.
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome;
}

impl<F, Res, Err> Classify<Res, Err> for F
where
    F: Fn(Result<&Res, &Err>) -> Outcome,
{
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        self(result)
    }
}

/// Reads HTTP responses by their status, errors as [`Outcome::ServiceError`], and a [`Rejected`],
/// also a boxed one, as what it is.
///
/// A response that carries an [`Outcome`] among its extensions, as the refusals of this crate do,
/// is read as that.
///
/// ```
/// use http::Response;
/// use obs_core::outcome::Outcome;
/// use obs_tower::classify::{Classify, HttpStatus};
///
/// let response = Response::builder().status(503).body(()).unwrap();
/// let result: Result<_, &std::io::Error> = Ok(&response);
/// assert_eq!(HttpStatus.classify(result), Outcome::ServerError);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpStatus;

impl<B, Err: 'static> Classify<Response<B>, Err> for HttpStatus {
    #[inline]
    fn classify(&self, result: Result<&Response<B>, &Err>) -> Outcome {
        match result {
            Ok(response) => response
                .extensions()
                .get::<Outcome>()
                .copied()
                .unwrap_or_else(|| Outcome::from_status(response.status().as_u16())),
            Err(error) => outcome_of_error(error),
        }
    }
}

/// Reads gRPC responses by a `grpc-status` among the headers, and by the HTTP status without one.
///
/// Servers that fail before the first message send the status there ("trailers-only"); one that
/// comes after the messages is not seen.
///
/// ```
/// use http::Response;
/// use obs_core::outcome::Outcome;
/// use obs_tower::classify::{Classify, GrpcStatus};
///
/// // 14 is `UNAVAILABLE`.
/// let response = Response::builder().header("grpc-status", "14").body(()).unwrap();
/// let result: Result<_, &std::io::Error> = Ok(&response);
/// assert_eq!(GrpcStatus.classify(result), Outcome::ServerError);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcStatus;

impl<B, Err: 'static> Classify<Response<B>, Err> for GrpcStatus {
    fn classify(&self, result: Result<&Response<B>, &Err>) -> Outcome {
        let code = result.ok().and_then(|response| response.headers().get("grpc-status"));
        match code.map(http::HeaderValue::as_bytes) {
            None => HttpStatus.classify(result),
            Some(b"0") => Outcome::Success,
            Some(b"4") => Outcome::DeadlineExceeded,
            // UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: what HTTP says with 5xx.
            // https://grpc.io/docs/guides/status-codes/
            Some(b"2" | b"12" | b"13" | b"14" | b"15") => Outcome::ServerError,
            Some(_) => Outcome::ClientError,
        }
    }
}

/// Reads any response as a success and any error as [`Outcome::ServiceError`].
///
/// ```
/// use obs_core::outcome::Outcome;
/// use obs_tower::classify::{AnyResponse, Classify};
///
/// let result: Result<&u32, &std::io::Error> = Ok(&7);
/// assert_eq!(AnyResponse.classify(result), Outcome::Success);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyResponse;

impl<Res, Err: 'static> Classify<Res, Err> for AnyResponse {
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        result.map_or_else(outcome_of_error, |_| Outcome::Success)
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A refusal of our own, plain or boxed, says itself what it is.
fn outcome_of_error<Err: 'static>(error: &Err) -> Outcome {
    let error: &dyn Any = error;
    let boxed = error.downcast_ref::<BoxError>();
    error
        .downcast_ref::<Rejected>()
        .or_else(|| boxed?.downcast_ref::<Rejected>())
        .map_or(Outcome::ServiceError, Rejected::outcome)
}

#[cfg(test)]
mod tests {
    use obs_core::outcome::Rejection;

    use super::*;

    #[test]
    fn an_outcome_in_the_extensions_beats_the_status() {
        let mut response = Response::builder().status(503).body(()).unwrap();
        let read = |response: &Response<()>| HttpStatus.classify(Ok::<_, &()>(response));
        assert_eq!(read(&response), Outcome::ServerError);
        response.extensions_mut().insert(Outcome::Rejected(Rejection::Bulkhead));
        assert_eq!(read(&response), Outcome::Rejected(Rejection::Bulkhead));
    }

    #[test]
    fn a_grpc_status_beats_the_http_status() {
        for (code, outcome) in [
            ("0", Outcome::Success),
            ("3", Outcome::ClientError),
            ("4", Outcome::DeadlineExceeded),
            ("14", Outcome::ServerError),
        ] {
            let response = Response::builder().header("grpc-status", code).body(()).unwrap();
            assert_eq!(GrpcStatus.classify(Ok::<_, &()>(&response)), outcome);
        }
        let response = Response::builder().status(502).body(()).unwrap();
        assert_eq!(GrpcStatus.classify(Ok::<_, &()>(&response)), Outcome::ServerError);
    }
}
