//! The attributes of a span, sorted into the fields of a segment document.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use crate::trace::json::json as to_json;
use crate::trace::{AttributeValue, SpanKind, SpanRecord};

use super::clean::{MAX_FIELD, shortened};

/// Reads attributes and remembers which were used: the others become metadata.
pub(super) struct Reader<'a> {
    span: &'a SpanRecord,
    used: BTreeSet<&'a str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(span: &'a SpanRecord) -> Self {
        Self { span, used: BTreeSet::new() }
    }

    /// The first of these attributes that is there.
    fn get(&self, keys: &[&str]) -> Option<(&'a str, &'a AttributeValue)> {
        let find = |key: &&str| self.span.attributes.iter().find(|(known, _)| known == key);
        keys.iter().find_map(find).map(|(key, value)| (key.as_str(), value))
    }

    /// At most 250 characters of it; a longer one is in the metadata too, as a whole.
    pub(super) fn text(&mut self, keys: &[&str]) -> Option<String> {
        let (key, value) = self.get(keys)?;
        let (text, whole) = match value {
            AttributeValue::Text(text) => (shortened(text, MAX_FIELD).to_owned(), text.len()),
            AttributeValue::Texts(texts) => {
                let first = shortened(texts.first()?, MAX_FIELD).to_owned();
                let whole = if texts.len() == 1 { texts[0].len() } else { usize::MAX };
                (first, whole)
            }
            AttributeValue::Bool(value) => (value.to_string(), 0),
            AttributeValue::Int(value) => (value.to_string(), 0),
            // Debug writes an exponent where Display would write hundreds of zeros.
            AttributeValue::Float(value) => (format!("{value:?}"), 0),
        };
        if text.is_empty() {
            return None;
        }
        if text.len() >= whole {
            self.used.insert(key);
        }
        Some(text)
    }

    /// The number, if it is one within `range`.
    pub(super) fn number(&mut self, keys: &[&str], range: RangeInclusive<i64>) -> Option<i64> {
        let (key, value) = self.get(keys)?;
        let number = match value {
            AttributeValue::Int(value) => Some(*value),
            AttributeValue::Text(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number))?;
        self.used.insert(key);
        Some(number)
    }

    fn query(&mut self) -> Option<&'a str> {
        let (key, value) = self.get(&["db.query.text", "db.statement"])?;
        self.used.insert(key);
        value.as_str()
    }

    /// The attributes that no field took.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&'a str, Value)> + '_ {
        self.span
            .attributes
            .iter()
            .filter(|(key, _)| !self.used.contains(key.as_str()))
            .map(|(key, value)| (key.as_str(), to_json(value)))
    }
}

/// The remote side of a call, in the order in which X-Ray's own exporters look for it.
pub(super) fn remote_name(reader: &mut Reader<'_>) -> Option<String> {
    if let Some(peer) = reader.text(&["service.peer.name", "peer.service"]) {
        return Some(peer);
    }
    let service = is_aws(reader).then(|| reader.text(&["rpc.service"])).flatten();
    if service.is_some() {
        return service;
    }
    let host = reader.text(&["server.address", "net.peer.name"]);
    let database = reader.text(&["db.namespace", "db.name"]);
    let system = reader.text(&["db.system.name", "db.system"]);
    match (database.or(system), host) {
        (Some(database), Some(host)) => Some(format!("{database}@{host}")),
        (database, host) => database.or(host),
    }
}

pub(super) fn is_aws(reader: &mut Reader<'_>) -> bool {
    reader.text(&["rpc.system", "rpc.system.name"]).as_deref() == Some("aws-api")
}

/// `http`, and the status of the response.
pub(super) fn http(reader: &mut Reader<'_>, kind: SpanKind) -> (Option<Value>, Option<i64>) {
    let mut request = Map::new();
    put(&mut request, "method", reader.text(&["http.request.method", "http.method"]));
    put(&mut request, "url", url(reader));
    put(&mut request, "user_agent", reader.text(&["user_agent.original", "http.user_agent"]));
    if kind == SpanKind::Server {
        put(&mut request, "client_ip", reader.text(&["client.address", "http.client_ip"]));
    }
    let mut response = Map::new();
    let status = reader.number(&["http.response.status_code", "http.status_code"], 100..=599);
    if let Some(status) = status {
        response.insert("status".to_owned(), status.into());
    }
    let length =
        reader.number(&["http.response.body.size", "http.response_content_length"], 0..=i64::MAX);
    if let Some(length) = length {
        response.insert("content_length".to_owned(), length.into());
    }
    let mut http = Map::new();
    put_object(&mut http, "request", request);
    put_object(&mut http, "response", response);
    ((!http.is_empty()).then_some(Value::Object(http)), status)
}

fn url(reader: &mut Reader<'_>) -> Option<String> {
    if let Some(url) = reader.text(&["url.full", "http.url"]) {
        return Some(url);
    }
    let path = reader.text(&["url.path", "http.target"]);
    let host = reader.text(&["server.address", "http.host"])?;
    let scheme = reader.text(&["url.scheme", "http.scheme"]).unwrap_or_else(|| "http".to_owned());
    let port = reader
        .number(&["server.port"], 1..=65_535)
        .map_or_else(String::new, |port| format!(":{port}"));
    let url = format!("{scheme}://{host}{port}{}", path.unwrap_or_default());
    Some(shortened(&url, MAX_FIELD).to_owned())
}

/// `sql`, for calls of databases that speak it.
pub(super) fn sql(reader: &mut Reader<'_>) -> Option<Value> {
    const SPEAK_SQL: [&str; 12] = [
        "postgresql",
        "mysql",
        "mariadb",
        "sqlite",
        "oracle.db",
        "microsoft.sql_server",
        "ibm.db2",
        "aws.redshift",
        "cockroachdb",
        "clickhouse",
        "trino",
        "other_sql",
    ];
    let system = reader.text(&["db.system.name", "db.system"])?;
    if !SPEAK_SQL.contains(&system.as_str()) {
        return None;
    }
    let mut sql = Map::new();
    put(&mut sql, "sanitized_query", reader.query().map(str::to_owned));
    put(&mut sql, "user", reader.text(&["db.user"]));
    sql.insert("database_type".to_owned(), system.into());
    Some(Value::Object(sql))
}

/// `aws.operation` and its like, of a call of an AWS service.
pub(super) fn aws_call(reader: &mut Reader<'_>) -> Map<String, Value> {
    let mut aws = Map::new();
    if is_aws(reader) {
        put(&mut aws, "operation", reader.text(&["rpc.method"]));
    }
    put(&mut aws, "request_id", reader.text(&["aws.request_id"]));
    put(&mut aws, "table_name", reader.text(&["aws.dynamodb.table_names"]));
    put(&mut aws, "queue_url", reader.text(&["aws.sqs.queue.url", "aws.sqs.queue_url"]));
    put(&mut aws, "remote_region", reader.text(&["aws.region"]));
    if let Some(retries) = reader.number(&["http.request.resend_count"], 0..=i64::MAX) {
        aws.insert("retries".to_owned(), retries.into());
    }
    aws
}

/// `exceptions` of the events, else of the status; empty if nothing failed.
pub(super) fn exceptions(span: &SpanRecord) -> Vec<Value> {
    const MAX: usize = 20;
    let events = span.events.iter().filter(|event| event.name == "exception");
    let mut exceptions: Vec<Value> = events
        .take(MAX)
        .enumerate()
        .map(|(index, event)| {
            let text = |key| event.attributes.get(key).and_then(AttributeValue::as_str);
            let stack = text("exception.stacktrace").map(frames);
            exception(
                span,
                index,
                text("exception.type"),
                text("exception.message").unwrap_or_default(),
                stack,
            )
        })
        .collect();
    if let (true, crate::trace::Status::Error(message)) = (exceptions.is_empty(), &span.status) {
        let kind = span.attributes.get("error.type").and_then(AttributeValue::as_str);
        if !message.is_empty() || kind.is_some() {
            exceptions.push(exception(span, 0, kind, message, None));
        }
    }
    exceptions
}

fn exception(
    span: &SpanRecord,
    index: usize,
    kind: Option<&str>,
    message: &str,
    stack: Option<Vec<Value>>,
) -> Value {
    // Any 64 bits that differ within the segment; the multiplier is odd, so none is lost.
    let id = span.span_id.get().wrapping_add(index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut exception = json!({
        "id": format!("{id:016x}"),
        "type": shortened(kind.unwrap_or("error"), MAX_FIELD),
        "message": shortened(message, 4096),
        "remote": span.kind == SpanKind::Client,
    });
    if let (Some(stack), Some(object)) = (stack, exception.as_object_mut()) {
        object.insert("stack".to_owned(), Value::Array(stack));
    }
    exception
}

fn frames(stack: &str) -> Vec<Value> {
    const MAX: usize = 100;
    let lines = stack.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(MAX).map(|line| json!({ "label": shortened(line, MAX_FIELD) })).collect()
}

pub(super) fn put(object: &mut Map<String, Value>, key: &str, text: Option<String>) {
    if let Some(text) = text {
        object.insert(key.to_owned(), text.into());
    }
}

pub(super) fn put_value(object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value);
    }
}

pub(super) fn put_object(object: &mut Map<String, Value>, key: &str, inner: Map<String, Value>) {
    if !inner.is_empty() {
        object.insert(key.to_owned(), Value::Object(inner));
    }
}
