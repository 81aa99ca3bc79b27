//! The rules of each format as tables, and what holds for all of them together.

mod baggage;
mod correlation;
mod environment;
mod internal;
mod isolation;
mod properties;
mod trace_context;
mod trust;
mod xray;

use super::{Extracted, Propagators, TrustPolicy};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ROOT: &str = "Root=1-58406520-a006649127e371903a2de979";
const ROOT_TRACE: &str = "58406520a006649127e371903a2de979";

fn extract(headers: &[(&str, &str)]) -> Extracted {
    extract_as(&TrustPolicy::internal(), headers)
}

fn extract_as(policy: &TrustPolicy, headers: &[(&str, &str)]) -> Extracted {
    Propagators::default().extract(&headers.to_vec(), policy)
}

/// What a service that continues `extracted` sends on, as its own span `b7ad6b7169203331`.
fn sent_on(extracted: &Extracted, policy: &TrustPolicy) -> Vec<(String, String)> {
    let ids = crate::id::IdGenerator::seeded(1);
    let clock = crate::clock::Clock::system();
    let fresh = super::TraceParent::new(ids.trace_id(&clock));
    let parent = extracted.parent.as_ref().unwrap_or(&fresh);
    let span_id = crate::id::SpanId::from_hex("b7ad6b7169203331").unwrap();
    let mut outgoing =
        super::Outgoing::new(parent.trace_id, span_id, parent.sampled.unwrap_or(true))
            .baggage(&extracted.baggage);
    outgoing.random = parent.random;
    outgoing.trace_state = Some(&parent.tracestate);
    outgoing.xray = Some(&parent.xray);
    outgoing.correlation_id = extracted.correlation_id.as_ref();
    outgoing.tenant_id = extracted.tenant_id.as_deref();
    outgoing.user_id = extracted.user_id.as_deref();
    outgoing.timeout = extracted.timeout;
    outgoing.attempt = extracted.attempt;
    outgoing.debug = extracted.debug.as_deref();
    let mut sent = Vec::new();
    Propagators::default().inject(&outgoing, &mut sent, policy);
    sent
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
