use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::resource::Resource;
use crate::trace::json::{json as to_json, metadata_by_namespace};
use crate::trace::{AttributeValue, SpanKind, SpanRecord};

use super::clean::{self, MAX_ANNOTATION, shortened};
use super::facts::Facts;
use super::fields::{self, Reader, put, put_object, put_value};
use super::reduce::REDUCTIONS;

/// The most that a document may measure to fit one datagram with its header.
///
/// A UDP datagram over IPv4 carries 65,507 bytes, the daemon's header takes 33 of them.
pub const MAX_DOCUMENT_BYTES: usize = 65_474;

/// What documents aim at: X-Ray takes 64 kB, and does not say which kind.
pub(super) const TARGET_BYTES: usize = 60_000;

const MAX_ANNOTATIONS: usize = 50;
const MAX_LINKS: usize = 20;
const NOTES: &str = "obs";

/// Turns spans into X-Ray
/// [segment documents](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html).
///
/// Every span becomes a document that keeps X-Ray's rules: names and keys are cleaned, texts
/// shortened, and a document that is too large loses, in this order, its metadata, the frames of
/// stacks, the text of queries, annotations from the last on, messages and links. What was lost is
/// named under `metadata.obs.truncated`.
///
/// Its invariant, whatever the span: one JSON object of at most the size asked for, with name, ids
/// and times within the rules.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_core::resource::Resource;
/// use obs_core::trace::{SegmentEncoder, SpanKind, SpanRecord};
///
/// let (clock, ids) = (Clock::system(), IdGenerator::system());
/// let span = SpanRecord::new("orders", SpanKind::Server, ids.trace_id(&clock), ids.span_id());
/// let document = SegmentEncoder::new(&Resource::empty()).encode(&span, 64 * 1024);
/// let document: serde_json::Value = serde_json::from_slice(&document)?;
/// assert_eq!(document["trace_id"], span.trace_id.to_xray().as_str());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SegmentEncoder {
    facts: Facts,
}

impl SegmentEncoder {
    /// An encoder for the spans of a service.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        Self { facts: Facts::new(resource) }
    }

    /// The document of `span`, in at most `max_bytes` and never more than [`MAX_DOCUMENT_BYTES`], or
    /// in as few as it can be if `max_bytes` are fewer than 4096.
    #[must_use]
    pub fn encode(&self, span: &SpanRecord, max_bytes: usize) -> Vec<u8> {
        let max_bytes = max_bytes.min(MAX_DOCUMENT_BYTES);
        let mut document = self.document(span);
        let mut bytes = to_bytes(&document);
        for (what, reduce) in REDUCTIONS {
            if bytes.len() <= max_bytes {
                break;
            }
            let excess = bytes.len() - max_bytes;
            if reduce(&mut document, excess) {
                note(&mut document, what);
                bytes = to_bytes(&document);
            }
        }
        bytes
    }

    fn document(&self, span: &SpanRecord) -> Map<String, Value> {
        let mut reader = Reader::new(span);
        let is_segment = is_segment(span);
        let mut document = Map::new();
        let remote = if is_segment { None } else { remote_name(span, &mut reader) };
        let name = match remote {
            Some(remote) => clean::name(&remote),
            None if is_segment => self.facts.service.clone(),
            None => clean::name(&span.name),
        };
        let name_is_lost = name != span.name.as_str();
        document.insert("name".to_owned(), name.into());
        identify(&mut document, span, is_segment);
        if !is_segment && matches!(span.kind, SpanKind::Client | SpanKind::Producer) {
            let namespace = if fields::is_aws(&mut reader) { "aws" } else { "remote" };
            document.insert("namespace".to_owned(), namespace.into());
        }
        let (http, status) = fields::http(&mut reader, span.kind);
        put_value(&mut document, "http", http);
        put_value(&mut document, "sql", fields::sql(&mut reader));
        self.describe(&mut document, &mut reader, is_segment);
        put(&mut document, "user", reader.text(&["enduser.id", "user.id"]));
        judge(&mut document, span, status);
        let links: Vec<_> = span.links.iter().take(MAX_LINKS).map(link).collect();
        if !links.is_empty() {
            document.insert("links".to_owned(), links.into());
        }
        let mut metadata = self.metadata(span, &reader, is_segment, name_is_lost);
        let annotations = annotations(span, &mut metadata);
        put_object(&mut document, "annotations", annotations);
        put_object(&mut document, "metadata", metadata);
        if span.links.len() > MAX_LINKS {
            note(&mut document, "links");
        }
        document
    }

    /// `aws`, `service` and `origin`.
    fn describe(
        &self,
        document: &mut Map<String, Value>,
        reader: &mut Reader<'_>,
        is_segment: bool,
    ) {
        let facts = &self.facts;
        let mut aws = fields::aws_call(reader);
        aws.insert(
            "xray".to_owned(),
            json!({ "sdk": "obs-aws for Rust", "sdk_version": env!("CARGO_PKG_VERSION") }),
        );
        put(&mut aws, "account_id", facts.account.clone());
        put(&mut aws, "region", facts.region.clone());
        if let Some(region) = aws.remove("remote_region") {
            aws.insert("region".to_owned(), region);
        }
        let groups: Vec<_> = facts
            .log_groups
            .iter()
            .map(|group| {
                let mut object = Map::new();
                put(&mut object, "log_group", group.name.clone());
                put(&mut object, "arn", group.arn.clone());
                Value::Object(object)
            })
            .collect();
        if is_segment && !groups.is_empty() {
            aws.insert("cloudwatch_logs".to_owned(), groups.into());
        }
        document.insert("aws".to_owned(), Value::Object(aws));
        if is_segment {
            put(document, "origin", facts.origin.map(str::to_owned));
            if let Some(version) = &facts.version {
                document.insert("service".to_owned(), json!({ "version": version }));
            }
        }
    }

    fn metadata(
        &self,
        span: &SpanRecord,
        reader: &Reader<'_>,
        is_segment: bool,
        name_is_lost: bool,
    ) -> Map<String, Value> {
        let mut metadata = Map::new();
        for (namespace, object) in metadata_by_namespace(&span.metadata) {
            metadata.insert(namespace.to_owned(), Value::Object(object));
        }
        let default = entry(&mut metadata, SpanRecord::DEFAULT_NAMESPACE);
        for (key, value) in reader.rest() {
            default.insert(key.to_owned(), value);
        }
        if name_is_lost {
            default.insert("span.name".to_owned(), span.name.as_str().into());
        }
        let events: Vec<_> =
            span.events.iter().filter(|event| event.name != "exception").map(event).collect();
        if !events.is_empty() {
            default.insert("events".to_owned(), events.into());
        }
        if is_segment {
            for (key, value) in &self.facts.resource {
                default.insert(key.clone(), value.as_str().into());
            }
        }
        if default.is_empty() {
            metadata.remove(SpanRecord::DEFAULT_NAMESPACE);
        }
        metadata
    }
}

/// A segment stands for a service's own work; all else is a subsegment below one.
fn is_segment(span: &SpanRecord) -> bool {
    match span.kind {
        SpanKind::Server => true,
        // The message's sender is another service: this one's work begins here.
        SpanKind::Consumer if span.parent_is_remote => true,
        _ => span.parent_span_id.is_none(),
    }
}

fn remote_name(span: &SpanRecord, reader: &mut Reader<'_>) -> Option<String> {
    matches!(span.kind, SpanKind::Client | SpanKind::Producer)
        .then(|| fields::remote_name(reader))
        .flatten()
}

fn identify(document: &mut Map<String, Value>, span: &SpanRecord, is_segment: bool) {
    document.insert("id".to_owned(), span.span_id.to_hex().as_str().into());
    document.insert("trace_id".to_owned(), span.trace_id.to_xray().as_str().into());
    if let Some(parent) = span.parent_span_id {
        document.insert("parent_id".to_owned(), parent.to_hex().as_str().into());
    }
    document.insert("start_time".to_owned(), seconds(span.start));
    document.insert("end_time".to_owned(), seconds(span.end.max(span.start)));
    if !is_segment {
        document.insert("type".to_owned(), "subsegment".into());
    }
}

/// Seconds with microseconds; a double is exact enough for them until the year 2255.
fn seconds(at: Timestamp) -> Value {
    let micros = at.unix_nanos() / 1_000;
    (micros as f64 / 1e6).into()
}

/// `error`, `throttle`, `fault` and `cause`: a response's status decides, else the span's.
fn judge(document: &mut Map<String, Value>, span: &SpanRecord, status: Option<i64>) {
    let flags: &[&str] = match status {
        Some(429) => &["error", "throttle"],
        Some(400..=499) => &["error"],
        Some(500..=599) => &["fault"],
        _ if span.status.is_error() => &["fault"],
        _ => &[],
    };
    for flag in flags {
        document.insert((*flag).to_owned(), true.into());
    }
    let exceptions = fields::exceptions(span);
    if !exceptions.is_empty() {
        document.insert("cause".to_owned(), json!({ "exceptions": exceptions }));
    }
}

/// The annotations that X-Ray takes; the others go to the metadata.
fn annotations(span: &SpanRecord, metadata: &mut Map<String, Value>) -> Map<String, Value> {
    let mut annotations = Map::new();
    for (key, value) in &span.annotations {
        let clean_key = clean::key(key);
        let fits = annotations.len() < MAX_ANNOTATIONS && !annotations.contains_key(&clean_key);
        match annotation(value).filter(|_| fits) {
            Some(value) => drop(annotations.insert(clean_key, value)),
            None => {
                let default = entry(metadata, SpanRecord::DEFAULT_NAMESPACE);
                default.insert(key.as_str().to_owned(), to_json(value));
            }
        }
    }
    annotations
}

/// `None` for a number that JSON does not have.
fn annotation(value: &AttributeValue) -> Option<Value> {
    Some(match value {
        AttributeValue::Float(value) if !value.is_finite() => return None,
        AttributeValue::Text(text) => shortened(text, MAX_ANNOTATION).into(),
        AttributeValue::Texts(texts) => {
            let joined = texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(",");
            shortened(&joined, MAX_ANNOTATION).into()
        }
        other => to_json(other),
    })
}

fn link(link: &crate::trace::SpanLink) -> Value {
    let mut object = json!({
        "trace_id": link.trace_id.to_xray().as_str(),
        "id": link.span_id.to_hex().as_str(),
    });
    let attributes = object_of(&link.attributes);
    if let (false, Some(object)) = (attributes.is_empty(), object.as_object_mut()) {
        object.insert("attributes".to_owned(), Value::Object(attributes));
    }
    object
}

fn event(event: &crate::trace::SpanEvent) -> Value {
    let attributes = object_of(&event.attributes);
    json!({ "name": event.name.as_str(), "at": seconds(event.at), "attributes": attributes })
}

fn object_of(attributes: &crate::trace::Attributes) -> Map<String, Value> {
    attributes.iter().map(|(key, value)| (key.as_str().to_owned(), to_json(value))).collect()
}

/// The object under `key`, which is made if it is not there.
fn entry<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let slot = object.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().expect("it was made an object just now")
}

fn note(document: &mut Map<String, Value>, what: &str) {
    let notes = entry(entry(document, "metadata"), NOTES);
    let list = notes.entry("truncated").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = list.as_array_mut() {
        list.push(what.into());
    }
}

fn to_bytes(document: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(document).expect("keys are text and nothing else can fail in memory")
}

#[cfg(test)]
mod tests;
