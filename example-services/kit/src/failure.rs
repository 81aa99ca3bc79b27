//! What a handler answers when it cannot do what it was asked: a problem document.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use obs_core::context::RequestContext;
use obs_core::problem::Problem;
use shop_domain::port::{StoreError, StoreErrorKind};

/// How long a caller should wait when nobody knows how long it takes.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A refusal or an error, as the caller may see it.
///
/// The answer carries the correlation id of the current request.
#[derive(Debug)]
pub struct Failure {
    problem: Problem,
    retry_after: Option<Duration>,
}

impl Failure {
    /// The failure that `problem` describes.
    #[must_use]
    pub const fn new(problem: Problem) -> Self {
        Self { problem, retry_after: None }
    }

    /// A failure with `status`, explained by `detail`.
    #[must_use]
    pub fn status(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(Problem::new(status).detail(detail.into()))
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn code(&self) -> StatusCode {
        self.problem.status()
    }

    /// 404: there is no such thing.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::status(StatusCode::NOT_FOUND, detail)
    }

    /// 409: the state of things does not allow it.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::status(StatusCode::CONFLICT, detail)
    }

    /// 422: the request was understood and breaks a rule.
    #[must_use]
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::status(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 503: try again later.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::status(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER)
    }

    /// Tells the caller how long to wait; rounded up to whole seconds.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.problem = self.problem.with(name, value);
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut problem = self.problem;
        if let Some(context) = RequestContext::current() {
            problem = problem.with("correlation_id", context.correlation_id().as_str());
        }
        let mut response = problem.into_response::<Body>();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(error = %error, cause = cause.as_deref(), "store failed");
        match error.kind() {
            StoreErrorKind::Corrupt => {
                Self::status(StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be read")
            }
            _ => Self::unavailable("the store is not available"),
        }
    }
}

/// Answers paths and methods that `router` does not serve with problem documents.
pub fn refuse_the_rest<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(async || Failure::not_found("nothing is served under this path"))
        .method_not_allowed_fallback(async || {
            let detail = "this path does not serve this method; see the Allow header";
            Failure::status(StatusCode::METHOD_NOT_ALLOWED, detail)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_that_suffice() {
        for (wait, seconds) in [(0, "0"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let failure = Failure::unavailable("later").retry_after(Duration::from_millis(wait));
            let response = failure.into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds, "{wait} ms");
        }
    }

    #[test]
    fn a_store_that_cannot_be_read_is_not_worth_another_try() {
        let failed = |kind| Failure::from(StoreError::new(kind, "test")).into_response();
        let corrupt = failed(StoreErrorKind::Corrupt);
        assert_eq!(corrupt.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!corrupt.headers().contains_key(header::RETRY_AFTER));
        let throttled = failed(StoreErrorKind::Throttled);
        assert_eq!(throttled.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(throttled.headers()[header::RETRY_AFTER], "1");
    }
}
