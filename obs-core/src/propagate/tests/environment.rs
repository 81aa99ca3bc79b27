//! `OTEL_PROPAGATORS`.

use super::*;
use crate::environment::Environment;

fn named(names: &str) -> Result<Propagators, crate::config::ConfigError> {
    Propagators::from_environment(&Environment::from([("OTEL_PROPAGATORS", names)]))
}

fn sent_by(propagators: &Propagators) -> Vec<String> {
    let clock = crate::clock::Clock::system();
    let ids = crate::id::IdGenerator::seeded(1);
    let baggage = super::super::Baggage::empty().with("a", "1").unwrap();
    let outgoing =
        super::super::Outgoing::new(ids.trace_id(&clock), ids.span_id(), true).baggage(&baggage);
    let mut sent: Vec<(String, String)> = Vec::new();
    propagators.inject(&outgoing, &mut sent, &TrustPolicy::internal());
    sent.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_names_choose_what_is_read_and_written() {
    assert_eq!(sent_by(&named("tracecontext").unwrap()), ["traceparent"]);
    assert_eq!(sent_by(&named("xray, baggage").unwrap()), ["x-amzn-trace-id", "baggage"]);
    assert_eq!(sent_by(&named("none").unwrap()), [""; 0]);
    let unset = Propagators::from_environment(&Environment::empty()).unwrap();
    assert_eq!(unset, Propagators::default());
    assert_eq!(named("xray,tracecontext,baggage,xray").unwrap(), Propagators::default());

    let only_w3c = named("tracecontext").unwrap();
    let headers = vec![("x-amzn-trace-id", ROOT), ("baggage", "a=1")];
    let extracted = only_w3c.extract(&headers, &TrustPolicy::internal());
    assert_eq!(extracted, Extracted::default());
}

#[test]
fn an_unknown_name_is_an_error_that_shows_the_value() {
    for names in ["b3", "tracecontext,jaeger", "TraceContext", "none,xray", "xray;baggage"] {
        let error = named(names).unwrap_err();
        assert_eq!((error.field(), error.value()), ("OTEL_PROPAGATORS", names));
    }
}
