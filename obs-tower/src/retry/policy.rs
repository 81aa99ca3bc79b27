use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use obs_core::clock::Timestamp;
use obs_core::outcome::Outcome;
use obs_core::propagate::field::X_REQUEST_ATTEMPT;
use tokio::time::Sleep;
use tower::retry::Policy;

use super::handle::is_repeated_further_out;
use super::pushback::Pushback;
use super::{Advice, ReplayBody, Retry};
use crate::classify::{Classify, HttpStatus};
use crate::client::Attempt;

/// Decides for [`tower::retry`] which HTTP requests are sent again, and when.
///
/// Repeated are requests that failed with 429, 500, 502, 503, 504 or without a response, unless a
/// guard of our own refused them. `Retry-After` in seconds or as a date, `x-amz-retry-after` and
/// `grpc-retry-pushback-ms` are honoured up to the longest wait; a pushback below zero forbids a
/// retry.
///
/// ```
/// use obs_tower::retry::{Retry, RetryPolicy};
///
/// // For a stack that has tower's own retry layer: `ServiceBuilder::new().retry(policy)`.
/// let policy = RetryPolicy::new(Retry::builder("inventory").build()?);
/// # let _ = policy;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RetryPolicy<C = HttpStatus> {
    retry: Retry,
    classify: C,
    attempt: u32,
}

impl RetryPolicy {
    /// The policy of `retry`, for one stack.
    #[must_use]
    pub const fn new(retry: Retry) -> Self {
        Self { retry, classify: HttpStatus, attempt: 1 }
    }
}

impl<C> RetryPolicy<C> {
    pub(super) fn with_classifier<C2>(self, classify: C2) -> RetryPolicy<C2> {
        RetryPolicy { retry: self.retry, classify, attempt: self.attempt }
    }

    pub(super) const fn retry(&self) -> &Retry {
        &self.retry
    }
}

/// Whether the request may be sent more than once: its method or a key says that it does no more
/// harm then, and nobody further out repeats it.
pub(super) fn is_repeatable<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    (is_idempotent(request.method()) || headers.contains_key("idempotency-key"))
        && !headers.contains_key(&X_REQUEST_ATTEMPT)
        && !is_repeated_further_out()
}

/// The idempotent methods of [RFC 9110, section 9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2).
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE]
        .contains(method)
}

/// Marks the request as this attempt, for the other side and for the client layer inside.
pub(super) fn set_attempt<B>(request: &mut Request<B>, attempt: u32) {
    request.headers_mut().insert(&X_REQUEST_ATTEMPT, HeaderValue::from(attempt));
    request.extensions_mut().insert(Attempt(attempt));
}

impl<B, B2, E, C> Policy<Request<ReplayBody<B>>, Response<B2>, E> for RetryPolicy<C>
where
    B: Body<Data = Bytes> + Unpin,
    C: Classify<Response<B2>, E>,
{
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<ReplayBody<B>>,
        result: &mut Result<Response<B2>, E>,
    ) -> Option<Sleep> {
        let outcome = self.classify.classify(result.as_ref());
        let advice = advice(outcome, result.as_ref().ok(), self.retry.clock().wall());
        if !advice.wants_retry() || !request.body().can_be_sent() {
            return None;
        }
        let wait = self.retry.wait_after(self.attempt, advice)?;
        self.attempt += 1;
        set_attempt(request, self.attempt);
        Some(tokio::time::sleep(wait))
    }

    fn clone_request(
        &mut self,
        request: &Request<ReplayBody<B>>,
    ) -> Option<Request<ReplayBody<B>>> {
        // The marker is ours: the layer sets it on what it finds repeatable.
        if !request.headers().contains_key(&X_REQUEST_ATTEMPT)
            || !self.retry.may_follow(self.attempt)
        {
            return None;
        }
        let mut copy = Request::new(request.body().replay()?);
        copy.method_mut().clone_from(request.method());
        copy.uri_mut().clone_from(request.uri());
        *copy.version_mut() = request.version();
        copy.headers_mut().clone_from(request.headers());
        copy.extensions_mut().clone_from(request.extensions());
        Some(copy)
    }
}

fn advice<B>(outcome: Outcome, response: Option<&Response<B>>, now: Timestamp) -> Advice {
    let status = response.map(Response::status);
    let advice = match (outcome, status) {
        (Outcome::ClientError, Some(StatusCode::TOO_MANY_REQUESTS))
        | (
            Outcome::ServerError,
            Some(StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT),
        )
        | (Outcome::DeadlineExceeded, _) => Advice::overloaded(),
        (
            Outcome::ServerError,
            None
            | Some(StatusCode::OK | StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY),
        )
        | (Outcome::ServiceError, _) => Advice::retry(),
        _ => return Advice::done(),
    };
    match response.map(|response| Pushback::read(response.headers(), now)) {
        Some(Pushback::Never) => Advice::done(),
        Some(Pushback::After(wait)) => advice.not_before(Some(wait)),
        Some(Pushback::Unsaid) | None => advice,
    }
}
