//! What holds for every input of the parsers: one body for the property tests and the fuzz
//! targets.
//!
//! Each function takes arbitrary bytes and panics if its invariant is broken.

use super::scan::Scratch;
use super::{
    Baggage, Carrier, Extracted, Outgoing, Propagators, TraceParent, TraceState, Traceparent,
    TrustPolicy, XrayHeader, field, xray,
};
use crate::id::{CorrelationId, IdGenerator, SpanId};

/// What is accepted is 55 bytes or more of the one spelling, and is written so that it is read as
/// the same again.
pub fn traceparent(bytes: &[u8]) {
    let Some(header) = Traceparent::parse(bytes) else { return };
    let written = header.to_bytes();
    assert_eq!(Traceparent::parse(&written), Some(header));
    assert!(written.iter().all(|&b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    let arrived = bytes.trim_ascii();
    assert_eq!(arrived[2..52], written[2..52], "the ids are sent on as they arrived");
}

/// What is accepted has at most 32 members, takes at most 512 bytes, and is read as the same
/// again.
pub fn tracestate(bytes: &[u8]) {
    let Some(state) = TraceState::parse(bytes.split(|&byte| byte == b'\n')) else { return };
    assert!(state.as_str().len() <= 512 && state.iter().count() <= 32);
    assert_is_field_value(state.as_str().as_bytes());
    assert_eq!(TraceState::parse([state.as_str().as_bytes()]), Some(state.clone()));
    for (key, value) in state.iter() {
        assert!(contains(bytes, key.as_bytes()) && contains(bytes, value.as_bytes()));
    }
}

/// What is accepted is written so that it is read as the same again, with `Root` first and no
/// pair twice among `Root`, `Parent` and `Sampled`.
pub fn x_amzn_trace_id(bytes: &[u8]) {
    assert_eq!(XrayHeader::parse(bytes), XrayHeader::parse_any(bytes), "the short way is the same");
    let Some(header) = XrayHeader::parse(bytes) else { return };
    let mut written = Scratch::new();
    xray::write(header.trace_id, header.parent, header.sampled, &header.extras, &mut written);
    assert_is_field_value(&written);
    assert!(header.extras.forwarded().len() <= 512 + 256 + 20);
    let again = XrayHeader::parse(&written).expect("what is written is valid");
    assert_eq!(
        (again.trace_id, again.parent, again.sampled),
        (header.trace_id, header.parent, header.sampled)
    );
    assert_eq!(again.extras.forwarded(), header.extras.forwarded());
    assert_eq!(again.extras.own(), None, "Self is not sent on");
    let text = String::from_utf8_lossy(&written).to_ascii_lowercase();
    for key in ["root=", "parent=", "sampled=", "self="] {
        let count = text.split(';').filter(|pair| pair.starts_with(key)).count();
        assert!(count <= usize::from(key != "self="), "{text}");
    }
}

/// What is kept has at most 64 members in 8192 bytes, is read as the same again, and has no
/// member that was not one on arrival.
pub fn baggage(bytes: &[u8]) {
    let fields = || bytes.split(|&byte| byte == b'\n');
    let baggage = Baggage::parse(fields());
    assert!(baggage.as_str().len() <= 8192 && baggage.iter().count() <= 64);
    assert_is_field_value(baggage.as_str().as_bytes());
    assert_eq!(Baggage::parse([baggage.as_str().as_bytes()]), baggage);
    let arrived = fields().flat_map(|field| field.split(|&byte| byte == b',')).count();
    assert!(baggage.iter().count() <= arrived);
    for member in baggage.iter() {
        assert!(baggage.get(member.key).is_some());
    }
}

/// What is accepted is kept byte for byte and fits a header, a JSON string and a URL path as it
/// is.
pub fn correlation_id(bytes: &[u8]) {
    let Some(id) = CorrelationId::parse(bytes) else { return };
    assert_eq!(id.as_bytes(), bytes);
    assert!((1..=128).contains(&bytes.len()));
    let harmless = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\<>'`&;,(){}".contains(byte);
    assert!(id.as_bytes().iter().all(harmless));
}

/// A set of fields: what is read from each depends on that field alone, and what is sent on is
/// read as the same again.
///
/// The input is lines: the first byte of each chooses the field, the rest is its value.
pub fn headers(bytes: &[u8]) {
    let arrived = Fields(bytes.split(|&byte| byte == b'\n').filter_map(named).collect());
    let (policy, propagators) = (TrustPolicy::internal(), Propagators::default());
    let extracted = propagators.extract(&arrived, &policy);
    each_field_alone(&arrived, &extracted);
    nothing_but_ids_from_an_edge(&arrived);

    let ids = IdGenerator::seeded(1);
    let span_id = SpanId::new(ids.random_u64() | 1).expect("odd numbers are not zero");
    let fresh = TraceParent::new(ids.trace_id(&crate::clock::ManualClock::default().clock()));
    let parent = extracted.parent.as_ref().unwrap_or(&fresh);
    let mut outgoing = Outgoing::new(parent.trace_id, span_id, parent.sampled.unwrap_or(true));
    outgoing.random = parent.random;
    outgoing.trace_state = Some(&parent.tracestate);
    outgoing.xray = Some(&parent.xray);
    outgoing.correlation_id = extracted.correlation_id.as_ref();
    outgoing.baggage = Some(&extracted.baggage);
    outgoing.tenant_id = extracted.tenant_id.as_deref();
    outgoing.user_id = extracted.user_id.as_deref();
    outgoing.timeout = extracted.timeout;
    outgoing.attempt = extracted.attempt;
    outgoing.debug = extracted.debug.as_deref();
    let mut sent = http::HeaderMap::new();
    propagators.inject(&outgoing, &mut sent, &policy);
    // By W3C alone, for which an id of any age will do.
    let w3c = Propagators::from_names("tracecontext,baggage").expect("both are known");
    let again = w3c.extract(&sent, &policy);
    let continued = again.parent.expect("what is sent on is valid");
    assert_eq!(continued.trace_id, parent.trace_id);
    assert_eq!(continued.parent_span, Some(span_id));
    assert_eq!(continued.tracestate, parent.tracestate);
    assert_eq!(again.correlation_id, extracted.correlation_id);
    assert_eq!(again.baggage, extracted.baggage);
    assert_eq!(again.tenant_id, extracted.tenant_id);
    assert_eq!(again.user_id, extracted.user_id);
    assert_eq!(again.attempt, extracted.attempt);
    assert_eq!(again.debug, extracted.debug);
}

/// The fields of `bytes`, by the names of the ones this module reads.
struct Fields<'a>(Vec<(&'static http::HeaderName, &'a [u8])>);

fn named(line: &[u8]) -> Option<(&'static http::HeaderName, &[u8])> {
    let names = [
        &field::TRACEPARENT,
        &field::TRACESTATE,
        &field::X_AMZN_TRACE_ID,
        &field::BAGGAGE,
        &field::X_CORRELATION_ID,
        &field::X_REQUEST_ID,
        &field::X_TENANT_ID,
        &field::X_USER_ID,
        &field::X_REQUEST_TIMEOUT,
        &field::GRPC_TIMEOUT,
        &field::X_REQUEST_ATTEMPT,
        &field::X_OBS_DEBUG,
    ];
    let (&first, value) = line.split_first()?;
    Some((names[usize::from(first) % names.len()], value))
}

impl Carrier for Fields<'_> {
    fn get_all<'a>(&'a self, field: &'a http::HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(name, _)| *name == field).map(|(_, value)| *value)
    }
}

impl Fields<'_> {
    fn only(&self, names: &[&http::HeaderName]) -> Extracted {
        let kept = self.0.iter().filter(|(name, _)| names.contains(name)).copied().collect();
        Propagators::default().extract(&Fields(kept), &TrustPolicy::internal())
    }
}

fn each_field_alone(arrived: &Fields<'_>, all: &Extracted) {
    assert_eq!(all.baggage, arrived.only(&[&field::BAGGAGE]).baggage);
    assert_eq!(all.tenant_id, arrived.only(&[&field::X_TENANT_ID]).tenant_id);
    assert_eq!(all.user_id, arrived.only(&[&field::X_USER_ID]).user_id);
    assert_eq!(all.attempt, arrived.only(&[&field::X_REQUEST_ATTEMPT]).attempt);
    assert_eq!(all.debug, arrived.only(&[&field::X_OBS_DEBUG]).debug);
    let w3c = arrived.only(&[&field::TRACEPARENT, &field::TRACESTATE]).parent;
    let xray = arrived.only(&[&field::X_AMZN_TRACE_ID]);
    if let Some(parent) = &all.parent {
        let of = |other: &Option<TraceParent>| {
            other.as_ref().is_some_and(|other| other.trace_id == parent.trace_id)
        };
        assert!(of(&w3c) || of(&xray.parent), "an id is never put together from two fields");
        let w3c_state = w3c.map(|parent| parent.tracestate).unwrap_or_default();
        assert!(parent.tracestate.is_empty() || parent.tracestate == w3c_state);
        let extras = xray.parent.map(|parent| parent.xray).unwrap_or_default();
        assert!(parent.xray == super::XrayExtras::none() || parent.xray == extras);
    }
}

fn nothing_but_ids_from_an_edge(arrived: &Fields<'_>) {
    let extracted = Propagators::default().extract(arrived, &TrustPolicy::edge());
    assert_eq!(extracted.tenant_id, None);
    assert_eq!(extracted.user_id, None);
    assert_eq!((extracted.timeout, extracted.attempt), (None, None));
    assert_eq!(extracted.debug, None);
}

fn assert_is_field_value(value: &[u8]) {
    assert!(value.iter().all(|byte| matches!(byte, b' '..=b'~')), "{value:?}");
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}
