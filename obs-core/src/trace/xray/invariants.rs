//! What holds for every span that is encoded: one body for the property test and the fuzz target.

use crate::clock::Timestamp;
use crate::fuzz::Input;
use crate::id::{SpanId, TraceId};
use crate::resource::Resource;
use crate::trace::{AttributeValue, SpanEvent, SpanKind, SpanLink, SpanRecord, Status, Text};

use super::document::SegmentEncoder;
use super::rules;

/// Whatever the span, its document keeps the rules of X-Ray and fits the size asked for.
///
/// # Panics
/// If it does not.
pub fn segment_document(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let resource = Resource::empty().with("service.name", input.text());
    let max_bytes = 4096 + usize::from(input.number() as u16);
    let span = span(&mut input);
    let document = SegmentEncoder::new(&resource).encode(&span, max_bytes);
    assert_eq!(rules::broken(&document), None, "{}", String::from_utf8_lossy(&document));
    assert!(document.len() <= max_bytes, "{} > {max_bytes}", document.len());
}

fn key(input: &mut Input<'_>) -> Text {
    const KNOWN: [&str; 14] = [
        "http.request.method",
        "url.full",
        "url.path",
        "server.address",
        "server.port",
        "http.response.status_code",
        "user_agent.original",
        "peer.service",
        "rpc.system",
        "rpc.service",
        "db.system.name",
        "db.query.text",
        "enduser.id",
        "exception.stacktrace",
    ];
    let index = usize::from(input.byte());
    KNOWN.get(index).map_or_else(|| input.text().into(), |known| Text::from(*known))
}

fn value(input: &mut Input<'_>) -> AttributeValue {
    match input.byte() % 5 {
        0 => AttributeValue::Bool(input.byte() > 127),
        1 => AttributeValue::Int(input.number().cast_signed()),
        2 => AttributeValue::Float(f64::from_bits(input.number())),
        3 => AttributeValue::Texts(vec![input.text().into(), input.text().into()]),
        _ => AttributeValue::Text(input.text().into()),
    }
}

fn span(input: &mut Input<'_>) -> SpanRecord {
    const KINDS: [SpanKind; 5] = [
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];
    const SPARE: TraceId = TraceId::new(1).expect("one is not zero");
    const SPARE_SPAN: SpanId = SpanId::new(1).expect("one is not zero");
    let kind = KINDS[usize::from(input.byte()) % KINDS.len()];
    let trace = u128::from(input.number()) << 64 | u128::from(input.number());
    let (trace_id, span_id) = (TraceId::new(trace), SpanId::new(input.number()));
    let (trace_id, span_id) = (trace_id.unwrap_or(SPARE), span_id.unwrap_or(SPARE_SPAN));
    let mut span = SpanRecord::new(input.text(), kind, trace_id, span_id);
    span.parent_span_id = SpanId::new(input.number());
    span.parent_is_remote = input.byte() > 127;
    span.start = Timestamp::from_unix_nanos(input.number());
    span.end = Timestamp::from_unix_nanos(input.number());
    while !input.is_empty() {
        part(input, &mut span);
    }
    span
}

fn part(input: &mut Input<'_>, span: &mut SpanRecord) {
    match input.byte() % 6 {
        0 => span.annotate(key(input), value(input)),
        1 => span.metadata(input.text(), key(input), value(input)),
        2 => span.status = Status::error(input.text()),
        3 => {
            let name =
                if input.byte() > 127 { Text::from("exception") } else { input.text().into() };
            let mut event = SpanEvent::new(name, span.start);
            event.attributes.set(key(input), value(input));
            span.add_event(event);
        }
        4 => span.add_link(SpanLink::new(span.trace_id, span.span_id)),
        _ => span.attributes.set(key(input), value(input)),
    }
}
