//! What holds for every span that is encoded: one body for the property test and the fuzz target.

use crate::clock::Timestamp;
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
    let mut input = Input(bytes);
    let resource = Resource::empty().with("service.name", input.text());
    let max_bytes = 4096 + usize::from(input.number() as u16);
    let span = input.span();
    let document = SegmentEncoder::new(&resource).encode(&span, max_bytes);
    assert_eq!(rules::broken(&document), None, "{}", String::from_utf8_lossy(&document));
    assert!(document.len() <= max_bytes, "{} > {max_bytes}", document.len());
}

/// Reads anything out of bytes; when they are used up, zeros.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes([(); 8].map(|()| self.byte()))
    }

    /// A few bytes, repeated up to 255 times: long texts out of little input.
    fn text(&mut self) -> String {
        let (length, times) = (usize::from(self.byte()), usize::from(self.byte()));
        let (text, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(text).repeat(times)
    }

    fn key(&mut self) -> Text {
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
        let index = usize::from(self.byte());
        KNOWN.get(index).map_or_else(|| self.text().into(), |known| Text::from(*known))
    }

    fn value(&mut self) -> AttributeValue {
        match self.byte() % 5 {
            0 => AttributeValue::Bool(self.byte() > 127),
            1 => AttributeValue::Int(self.number().cast_signed()),
            2 => AttributeValue::Float(f64::from_bits(self.number())),
            3 => AttributeValue::Texts(vec![self.text().into(), self.text().into()]),
            _ => AttributeValue::Text(self.text().into()),
        }
    }

    fn span(&mut self) -> SpanRecord {
        const KINDS: [SpanKind; 5] = [
            SpanKind::Internal,
            SpanKind::Server,
            SpanKind::Client,
            SpanKind::Producer,
            SpanKind::Consumer,
        ];
        const SPARE: TraceId = TraceId::new(1).expect("one is not zero");
        const SPARE_SPAN: SpanId = SpanId::new(1).expect("one is not zero");
        let kind = KINDS[usize::from(self.byte()) % KINDS.len()];
        let trace = u128::from(self.number()) << 64 | u128::from(self.number());
        let (trace_id, span_id) = (TraceId::new(trace), SpanId::new(self.number()));
        let (trace_id, span_id) = (trace_id.unwrap_or(SPARE), span_id.unwrap_or(SPARE_SPAN));
        let mut span = SpanRecord::new(self.text(), kind, trace_id, span_id);
        span.parent_span_id = SpanId::new(self.number());
        span.parent_is_remote = self.byte() > 127;
        span.start = Timestamp::from_unix_nanos(self.number());
        span.end = Timestamp::from_unix_nanos(self.number());
        while !self.0.is_empty() {
            self.part(&mut span);
        }
        span
    }

    fn part(&mut self, span: &mut SpanRecord) {
        match self.byte() % 6 {
            0 => span.annotate(self.key(), self.value()),
            1 => span.metadata(self.text(), self.key(), self.value()),
            2 => span.status = Status::error(self.text()),
            3 => {
                let name =
                    if self.byte() > 127 { Text::from("exception") } else { self.text().into() };
                let mut event = SpanEvent::new(name, span.start);
                event.attributes.set(self.key(), self.value());
                span.add_event(event);
            }
            4 => span.add_link(SpanLink::new(span.trace_id, span.span_id)),
            _ => span.attributes.set(self.key(), self.value()),
        }
    }
}
