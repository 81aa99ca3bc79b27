use obs_core::trace::{AttributeValue, SpanRecord, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A span as it is kept in a file and read again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The service it belongs to.
    pub service: String,
    /// Its name.
    pub name: String,
    /// `server`, `client`, `producer`, `consumer` or `internal`.
    pub kind: String,
    /// Its trace: 32 hexadecimal digits.
    pub trace_id: String,
    /// Its own id: 16 hexadecimal digits.
    pub span_id: String,
    /// The span that caused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_span_id: Option<String>,
    /// When it began, in nanoseconds since 1970-01-01T00:00:00Z.
    pub start_ns: u64,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    /// What failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Attributes.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub attributes: Map<String, Value>,
    /// Annotations, by which X-Ray searches.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub annotations: Map<String, Value>,
    /// Metadata, as `namespace.key`.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub metadata: Map<String, Value>,
    /// Spans of other traces that caused it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub links: Vec<Link>,
}

/// A span of another trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The other trace.
    pub trace_id: String,
    /// The other span.
    pub span_id: String,
}

impl Span {
    /// `record`, of `service`.
    #[must_use]
    pub fn new(service: &str, record: &SpanRecord) -> Self {
        let metadata = record.metadata.iter();
        let metadata = metadata.map(|m| (format!("{}.{}", m.namespace, m.key), json(&m.value)));
        let link = |link: &obs_core::trace::SpanLink| Link {
            trace_id: link.trace_id.to_string(),
            span_id: link.span_id.to_string(),
        };
        Self {
            service: service.to_owned(),
            name: record.name.as_str().to_owned(),
            kind: record.kind.as_str().to_owned(),
            trace_id: record.trace_id.to_string(),
            span_id: record.span_id.to_string(),
            parent_span_id: record.parent_span_id.map(|id| id.to_string()),
            start_ns: record.start.unix_nanos(),
            duration_ns: u64::try_from(record.duration().as_nanos()).unwrap_or(u64::MAX),
            error: match &record.status {
                Status::Error(what) => Some(what.as_str().to_owned()),
                _ => None,
            },
            attributes: members(&record.attributes),
            annotations: members(&record.annotations),
            metadata: metadata.collect(),
            links: record.links.iter().map(link).collect(),
        }
    }

    /// When it ended, in nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn end_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.duration_ns)
    }

    /// The annotation `key`, if it is text.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).and_then(Value::as_str)
    }
}

fn members(attributes: &obs_core::trace::Attributes) -> Map<String, Value> {
    attributes.iter().map(|(key, value)| (key.as_str().to_owned(), json(value))).collect()
}

fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => Value::from(*value),
        AttributeValue::Int(value) => Value::from(*value),
        AttributeValue::Float(value) => Value::from(*value),
        AttributeValue::Text(text) => Value::from(text.as_str()),
        AttributeValue::Texts(texts) => texts.iter().map(|text| text.as_str()).collect(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use obs_core::id::{SpanId, TraceId};
    use obs_core::trace::{SpanKind, SpanLink};

    use super::*;

    #[test]
    fn a_span_is_read_back_as_it_was_written() {
        let trace_id = TraceId::from_hex("5759e988bd862e3fe1be46a994272793").unwrap();
        let span_id = SpanId::from_hex("53995c3f42cd8ad8").unwrap();
        let mut record = SpanRecord::new("process orders", SpanKind::Consumer, trace_id, span_id);
        record.annotate("order_id", "ord-1");
        record.metadata("request", "lines", 2);
        record.attributes.push("messaging.batch.message_count", 3);
        record.status = Status::error("no stock");
        record.add_link(SpanLink::new(trace_id, span_id));
        let span = Span::new("order", &record);
        let text = serde_json::to_string(&span).unwrap();
        assert_eq!(serde_json::from_str::<Span>(&text).unwrap(), span);
        assert_eq!(span.annotation("order_id"), Some("ord-1"));
        assert_eq!(span.metadata["request.lines"], 2);
        assert_eq!(span.error.as_deref(), Some("no stock"));
    }
}
