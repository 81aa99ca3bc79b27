//! How a request that a guard refused is answered: by a response, or by an error.
//!
//! ```
//! use bytes::Bytes;
//! use http::Response;
//! use obs_tower::reject::{AsResponse, Reject, Rejected};
//!
//! let answer: Result<Response<Bytes>, std::io::Error> =
//!     AsResponse.reject(Rejected::timed_out("inventory".into()));
//! assert_eq!(answer.unwrap().status(), 504);
//! ```

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use obs_core::context::RequestContext;
use obs_core::outcome::{Outcome, Rejection};
use obs_core::problem::{PreparedProblem, Problem};

/// A request that a guard refused, or cut off at its deadline.
///
/// ```
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use obs_core::outcome::{Outcome, Rejection};
/// use obs_tower::reject::Rejected;
///
/// let rejected = Rejected::new(Rejection::CircuitBreaker, "inventory".into())
///     .retry_after(Some(Duration::from_secs(2)));
/// assert_eq!((rejected.status().as_u16(), &**rejected.name()), (503, "inventory"));
/// assert_eq!(rejected.wait(), Some(Duration::from_secs(2)));
/// let response = rejected.into_response::<Bytes>();
/// assert_eq!(response.headers()["retry-after"], "2");
///
/// let late = Rejected::timed_out("inventory".into());
/// assert_eq!(late.outcome(), Outcome::DeadlineExceeded);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    outcome: Outcome,
    name: Arc<str>,
    retry_after: Option<Duration>,
}

impl Rejected {
    /// A request refused by `guard`, whose name is `name`.
    #[must_use]
    pub const fn new(guard: Rejection, name: Arc<str>) -> Self {
        Self { outcome: Outcome::Rejected(guard), name, retry_after: None }
    }

    /// A request that was running when its deadline passed.
    #[must_use]
    pub const fn timed_out(name: Arc<str>) -> Self {
        Self { outcome: Outcome::DeadlineExceeded, name, retry_after: None }
    }

    /// Says when it makes sense to try again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The verdict: [`Outcome::Rejected`] or [`Outcome::DeadlineExceeded`].
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The name of the guard.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// When it makes sense to try again.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// 429 for a rate limit, 504 for a deadline, 503 for the rest.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.outcome {
            Outcome::Rejected(Rejection::RateLimit) => StatusCode::TOO_MANY_REQUESTS,
            Outcome::DeadlineExceeded | Outcome::Rejected(Rejection::Deadline) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The response: an RFC 9457 body with the outcome as `code`, `Retry-After` in whole seconds
    /// rounded up when known, and the outcome among the extensions, for layers further out.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let context = RequestContext::current();
        let correlation_id = context.as_ref().map(|context| context.correlation_id().as_str());
        let mut response = self.prepared().response(correlation_id);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self.outcome);
        response
    }
}

impl Rejected {
    /// What all refusals for this reason have in common, rendered when the first is.
    fn prepared(&self) -> &'static PreparedProblem {
        static PREPARED: [OnceLock<PreparedProblem>; 6] = [const { OnceLock::new() }; 6];
        let reason = match self.outcome {
            Outcome::Rejected(guard) => guard as usize,
            _ => 5,
        };
        PREPARED[reason].get_or_init(|| {
            PreparedProblem::new(&Problem::new(self.status()).with("code", self.outcome.as_str()))
        })
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.outcome, self.name)
    }
}

impl std::error::Error for Rejected {}

/// Answers a refused request.
///
/// Implemented by [`AsResponse`], [`AsError`] and by functions
/// `Fn(Rejected) -> Result<Response, Error>`.
///
/// ```
/// use obs_tower::reject::{Reject, Rejected};
///
/// /// For callers who want to know the name and nothing else.
/// struct ByName;
///
/// impl<Res> Reject<Res, String> for ByName {
///     fn reject(&self, rejected: Rejected) -> Result<Res, String> {
///         Err(rejected.name().to_string())
///     }
/// }
/// let refused: Result<(), _> = ByName.reject(Rejected::timed_out("inventory".into()));
/// assert_eq!(refused, Err("inventory".to_owned()));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer a refusal with `{Res}` or `{Err}`",
    label = "what is refused here has no answer",
    note = "`AsResponse`, which is the default, needs a response whose body is made `From<Bytes>`",
    note = "`AsError` needs an error that is made `From<Rejected>`, as boxed errors are; services on an axum router have none"
)]
pub trait Reject<Res, Err> {
    /// The answer.
    ///
    /// # Errors
    /// Where callers expect an error instead of a response.
    fn reject(&self, rejected: Rejected) -> Result<Res, Err>;
}

impl<F, Res, Err> Reject<Res, Err> for F
where
    F: Fn(Rejected) -> Result<Res, Err>,
{
    fn reject(&self, rejected: Rejected) -> Result<Res, Err> {
        self(rejected)
    }
}

/// Answers with [`Rejected::into_response`]: for servers, whose error type is often `Infallible`.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use obs_tower::reject::{AsResponse, Reject, Rejected};
///
/// let answer: Result<Response<Bytes>, std::io::Error> =
///     AsResponse.reject(Rejected::timed_out("inventory".into()));
/// assert_eq!(answer.unwrap().status(), 504);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AsResponse;

impl<B: From<Bytes>, Err> Reject<Response<B>, Err> for AsResponse {
    fn reject(&self, rejected: Rejected) -> Result<Response<B>, Err> {
        Ok(rejected.into_response())
    }
}

/// Answers with an error: for clients, whose error type takes a [`Rejected`].
///
/// ```
/// use obs_tower::reject::{AsError, Reject, Rejected};
///
/// type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// let answer: Result<(), BoxError> = AsError.reject(Rejected::timed_out("inventory".into()));
/// assert!(answer.unwrap_err().is::<Rejected>());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AsError;

impl<Res, Err: From<Rejected>> Reject<Res, Err> for AsError {
    fn reject(&self, rejected: Rejected) -> Result<Res, Err> {
        Err(rejected.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2"), (0, "0")] {
            let rejected = Rejected::new(Rejection::CircuitBreaker, "pay".into())
                .retry_after(Some(Duration::from_millis(millis)));
            let response: Response<Bytes> = rejected.into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn res_t9_a_time_limit_answers_504_and_never_408() {
        assert_eq!(Rejected::timed_out("t".into()).status(), StatusCode::GATEWAY_TIMEOUT);
        let on_arrival = Rejected::new(Rejection::Deadline, "t".into());
        assert_eq!(on_arrival.status(), StatusCode::GATEWAY_TIMEOUT);
    }

    #[test]
    fn the_response_says_which_guard_refused() {
        let rejected = Rejected::new(Rejection::LoadShed, "api".into());
        let response: Response<Bytes> = rejected.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["code"], "rejected_load_shed");
        assert!(!response.headers().contains_key(header::RETRY_AFTER));
    }
}
