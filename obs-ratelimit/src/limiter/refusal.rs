use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use obs_core::admit::Refusal;
use obs_core::context::RequestContext;
use obs_core::problem::{PreparedProblem, Problem};

use super::headers::write_fallback;
use super::text::number;
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
    limited_answer: PreparedProblem,
    closed_answer: PreparedProblem,
}

impl Prebuilt {
    pub(super) fn new(policy: &Policy) -> Self {
        let names = || vec![policy.name().into()];
        let (limited, closed) = (problem(false, names()), problem(true, names()));
        let (limited_answer, closed_answer) =
            (PreparedProblem::new(&limited), PreparedProblem::new(&closed));
        Self { limited, closed, limited_answer, closed_answer }
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
        let prebuilt = &self.0.policies[denied.first()].prebuilt;
        let context = RequestContext::current();
        let correlation_id = context.as_ref().map(|context| context.correlation_id().as_str());
        let mut response = match (&denied.violated[..], denied.is_closed()) {
            ([_], false) => prebuilt.limited_answer.response(correlation_id),
            ([_], true) => prebuilt.closed_answer.response(correlation_id),
            _ => PreparedProblem::new(&self.problem(denied)).response(correlation_id),
        };
        self.denied_headers(response.headers_mut(), denied);
        response
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
            headers.insert(header::RETRY_AFTER, number(whole_seconds(wait)));
        }
        self.write_headers(headers, &denied.reports);
        write_fallback(headers, denied.fallback());
    }
}

const CORRELATION_ID: &str = "correlation_id";

/// The wait in whole seconds, rounded up so that it suffices, and at least 1.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    whole.max(1)
}
