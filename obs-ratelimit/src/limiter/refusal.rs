use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use obs_core::admit::Refusal;
use obs_core::context::RequestContext;
use obs_core::problem::Problem;

use super::{Denied, Limiter};
use crate::headers::write_fallback;

/// The problem type of a used-up quota
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>, section 6).
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The problem type of a missing store; from the same place.
const REDUCED_CAPACITY: &str =
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

impl Limiter {
    pub(crate) fn refusal(&self, denied: &Denied) -> Refusal {
        let policies = &self.0.policies;
        let violated: Vec<serde_json::Value> = denied
            .violated
            .iter()
            .map(|(policy, _)| policies[*policy].policy.name().into())
            .collect();
        let retry_after = denied.retry_after();
        let problem = match denied.is_closed() {
            false => Problem::new(StatusCode::TOO_MANY_REQUESTS)
                .kind(QUOTA_EXCEEDED)
                .title("Request cannot be satisfied as assigned quota has been exceeded"),
            true => Problem::new(StatusCode::SERVICE_UNAVAILABLE)
                .kind(REDUCED_CAPACITY)
                .title("Request cannot be satisfied due to temporary server capacity constraints"),
        };
        let mut problem = problem.with("violated-policies", violated);
        if let Some(context) = RequestContext::current() {
            problem = problem.with("correlation_id", context.correlation_id().as_str());
        }
        let name = policies[denied.first()].policy.name.clone();
        let mut refusal = Refusal::new(name, problem, retry_after.unwrap_or(Duration::MAX));
        refusal.headers = self.denied_headers(denied);
        refusal
    }

    pub(crate) fn denied_headers(&self, denied: &Denied) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(wait) = denied.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        self.write_headers(&mut headers, &denied.reports);
        write_fallback(&mut headers, denied.fallback());
        headers
    }
}

/// The wait in whole seconds, rounded up so that it suffices, and at least 1.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    whole.max(1)
}
