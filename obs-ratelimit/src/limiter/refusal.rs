use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use obs_core::admit::Refusal;
use obs_core::context::RequestContext;
use obs_core::problem::{self, Problem};

use super::headers::write_fallback;
use super::{Denied, Limiter};
use crate::policy::Policy;

/// The problem type of a used-up quota
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>, section 6).
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The problem type of a missing store; from the same place.
const REDUCED_CAPACITY: &str =
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// What a policy answers when it alone refuses, made when it is built.
#[derive(Debug)]
pub(crate) struct Prebuilt {
    limited: Problem,
    closed: Problem,
    limited_body: Bytes,
    closed_body: Bytes,
}

impl Prebuilt {
    pub(super) fn new(policy: &Policy) -> Self {
        let names = || vec![policy.name().into()];
        let (limited, closed) = (problem(false, names()), problem(true, names()));
        let (limited_body, closed_body) = (limited.to_json().into(), closed.to_json().into());
        Self { limited, closed, limited_body, closed_body }
    }
}

fn problem(is_closed: bool, violated: Vec<serde_json::Value>) -> Problem {
    let problem = match is_closed {
        false => Problem::new(StatusCode::TOO_MANY_REQUESTS)
            .kind(QUOTA_EXCEEDED)
            .title("Request cannot be satisfied as assigned quota has been exceeded"),
        true => Problem::new(StatusCode::SERVICE_UNAVAILABLE)
            .kind(REDUCED_CAPACITY)
            .title("Request cannot be satisfied due to temporary server capacity constraints"),
    };
    problem.with("violated-policies", violated)
}

impl Limiter {
    pub(crate) fn refusal(&self, denied: &Denied) -> Refusal {
        let mut problem = self.problem(denied);
        if let Some(context) = RequestContext::current() {
            problem = problem.with(CORRELATION_ID, context.correlation_id().as_str());
        }
        let name = self.0.policies[denied.first()].policy.name.clone();
        let mut refusal =
            Refusal::new(name, problem, denied.retry_after().unwrap_or(Duration::MAX));
        self.denied_headers(&mut refusal.headers, denied);
        refusal
    }

    /// The response to a request that must not pass.
    #[cfg(feature = "layer")]
    pub(crate) fn refuse<B: From<Bytes>>(&self, denied: &Denied) -> Response<B> {
        let mut response = Response::new(B::from(self.body(denied)));
        *response.status_mut() = match denied.is_closed() {
            false => StatusCode::TOO_MANY_REQUESTS,
            true => StatusCode::SERVICE_UNAVAILABLE,
        };
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.denied_headers(headers, denied);
        response
    }

    #[cfg(feature = "layer")]
    /// The body of a refusal: what was built before, with the correlation id in its end.
    fn body(&self, denied: &Denied) -> Bytes {
        let prebuilt = &self.0.policies[denied.first()].prebuilt;
        let body = match (&denied.violated[..], denied.is_closed()) {
            ([_], false) => prebuilt.limited_body.clone(),
            ([_], true) => prebuilt.closed_body.clone(),
            _ => self.problem(denied).to_json().into(),
        };
        let with_id = RequestContext::with_current(|context| {
            let mut text = Vec::with_capacity(body.len() + 96);
            text.extend_from_slice(body.strip_suffix(b"}").unwrap_or(&body));
            text.extend_from_slice(b",\"correlation_id\":");
            let id = serde_json::Value::from(context.correlation_id().as_str());
            text.extend_from_slice(id.to_string().as_bytes());
            text.push(b'}');
            Bytes::from(text)
        });
        with_id.unwrap_or(body)
    }

    fn problem(&self, denied: &Denied) -> Problem {
        let policies = &self.0.policies;
        let prebuilt = &policies[denied.first()].prebuilt;
        match (&denied.violated[..], denied.is_closed()) {
            ([_], false) => prebuilt.limited.clone(),
            ([_], true) => prebuilt.closed.clone(),
            (violated, is_closed) => {
                let name = |(policy, _): &(usize, _)| policies[*policy].policy.name().into();
                problem(is_closed, violated.iter().map(name).collect())
            }
        }
    }

    fn denied_headers(&self, headers: &mut HeaderMap, denied: &Denied) {
        if let Some(wait) = denied.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        self.write_headers(headers, &denied.reports);
        write_fallback(headers, denied.fallback());
    }
}

const CORRELATION_ID: &str = "correlation_id";

/// Headers of a refusal, at most.
#[cfg(feature = "layer")]
const HEADERS: usize = 10;

/// The wait in whole seconds, rounded up so that it suffices, and at least 1.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    whole.max(1)
}
