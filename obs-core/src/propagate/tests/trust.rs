//! What is accepted on an edge, and what is told to whom.

use super::super::TraceTrust;
use super::*;

const EVERYTHING: [(&str, &str); 11] = [
    ("traceparent", "00-58406520a006649127e371903a2de979-00f067aa0ba902b7-01"),
    ("tracestate", "a=1"),
    ("x-amzn-trace-id", "Root=1-58406520-a006649127e371903a2de979;Foo=bar"),
    ("baggage", "plan=gold"),
    ("x-correlation-id", "c-1"),
    ("x-tenant-id", "acme"),
    ("x-user-id", "ann"),
    ("x-request-timeout", "1000"),
    ("grpc-timeout", "1S"),
    ("x-request-attempt", "3"),
    ("x-obs-debug", "token"),
];

fn names(headers: &[(String, String)]) -> Vec<&str> {
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn from_an_edge_ids_and_baggage_count_and_nothing_else() {
    let extracted = extract_as(&TrustPolicy::edge(), &EVERYTHING);
    let expected = Extracted {
        parent: extracted.parent.clone(),
        links: extracted.links.clone(),
        correlation_id: extracted.correlation_id.clone(),
        baggage: extracted.baggage.clone(),
        ..Extracted::default()
    };
    assert_eq!(extracted, expected);
    assert!(extracted.parent.is_some() && extracted.correlation_id.is_some());
    assert_eq!(extracted.baggage.as_str(), "plan=gold");
}

#[test]
fn each_field_can_be_allowed_alone() {
    let allowed = TrustPolicy::edge().tenant_id(true);
    let extracted = extract_as(&allowed, &EVERYTHING);
    assert_eq!(extracted.tenant_id.as_deref(), Some("acme"));
    assert_eq!(extracted.user_id, None);
    let nothing =
        TrustPolicy::edge().trace(TraceTrust::Ignore).baggage(false).correlation_id(false);
    assert_eq!(extract_as(&nothing, &EVERYTHING), Extracted::default());
}

#[test]
fn a_trace_can_be_resampled_or_linked() {
    let resampled = extract_as(&TrustPolicy::edge().trace(TraceTrust::Resample), &EVERYTHING);
    let parent = resampled.parent.unwrap();
    assert_eq!((parent.trace_id.to_hex().as_str(), parent.sampled), (ROOT_TRACE, None));
    let headers = [("traceparent", PARENT)];
    let linked = extract_as(&TrustPolicy::edge().trace(TraceTrust::Link), &headers);
    assert_eq!(linked.parent, None);
    assert_eq!(linked.links[0].trace_id.to_hex(), TRACE);
}

#[test]
fn our_own_services_are_told_everything() {
    let extracted = extract(&EVERYTHING);
    let sent = sent_on(&extracted, &TrustPolicy::internal());
    assert!(value(&sent, "x-amzn-trace-id").unwrap().ends_with(";Foo=bar"));
    assert_eq!(
        names(&sent),
        [
            "baggage",
            "traceparent",
            "tracestate",
            "x-amzn-trace-id",
            "x-correlation-id",
            "x-obs-debug",
            "x-request-attempt",
            "x-request-timeout",
            "x-tenant-id",
            "x-user-id",
        ]
    );
}

#[test]
fn others_are_told_ids_alone() {
    let sent = sent_on(&extract(&EVERYTHING), &TrustPolicy::external());
    assert_eq!(names(&sent), ["traceparent", "x-amzn-trace-id", "x-correlation-id"]);
    assert!(!value(&sent, "x-amzn-trace-id").unwrap().contains("Foo"));
}

#[test]
fn headers_copied_from_an_incoming_request_do_not_slip_through() {
    // `grpc-timeout` stays: on an outgoing call it is the gRPC client's own.
    let hostile: Vec<(String, String)> = EVERYTHING
        .iter()
        .filter(|(name, _)| *name != "grpc-timeout")
        .chain(&[("X-User-Id", "root"), ("Baggage", "role=admin")])
        .map(|(name, value)| ((*name).to_owned(), format!("{value}0")))
        .collect();
    let clock = crate::clock::Clock::system();
    let ids = crate::id::IdGenerator::seeded(1);
    let outgoing = super::super::Outgoing::new(ids.trace_id(&clock), ids.span_id(), true);
    for policy in [TrustPolicy::internal(), TrustPolicy::external()] {
        let mut headers = hostile.clone();
        Propagators::default().inject(&outgoing, &mut headers, &policy);
        assert_eq!(names(&headers), ["traceparent", "x-amzn-trace-id"]);
        assert!(
            headers.iter().all(|(_, value)| value.contains(outgoing.trace_id.to_xray().as_str())
                || value.contains(outgoing.trace_id.to_hex().as_str()))
        );
    }
}
