//! How the fields of spans and events become attributes.

use std::fmt::{self, Write as _};

use smallvec::SmallVec;
use tracing_core::field::{Field, Visit};
use tracing_core::{Level, Metadata};

use crate::clock::Timestamp;
use crate::trace::{AttributeValue, Attributes, SpanEvent, SpanKind, SpanRecord, Status, Text};

pub(super) fn add_event(
    span: &mut SpanRecord,
    metadata: &Metadata<'_>,
    at: Timestamp,
    fields: Fields,
) {
    let (mut message, mut error) = (None, None);
    let mut attributes = Attributes::with_capacity(fields.0.len() + 1);
    attributes.push("level", metadata.level().as_str());
    for (name, value) in fields.0 {
        match (name, value) {
            ("message", AttributeValue::Text(text)) => message = Some(text),
            ("error", AttributeValue::Text(text)) => error = Some(text),
            (name, value) => attributes.set(name, value),
        }
    }
    if *metadata.level() == Level::ERROR && !span.status.is_error() {
        span.status = Status::Error(error.clone().or_else(|| message.clone()).unwrap_or_default());
    }
    let name = match (error, message) {
        (Some(error), message) => {
            attributes.set("exception.message", error);
            message.into_iter().for_each(|message| attributes.set("message", message));
            "exception".into()
        }
        (None, Some(message)) => message,
        (None, None) => Text::from(metadata.name()),
    };
    let mut event = SpanEvent::new(name, at);
    event.attributes = attributes;
    span.add_event(event);
}

/// The fields of a span or event, in order.
#[derive(Default)]
pub(super) struct Fields(SmallVec<[(&'static str, AttributeValue); 8]>);

impl Fields {
    /// What `record` shows to the visitor it is given.
    pub(super) fn collect(record: impl FnOnce(&mut dyn Visit)) -> Self {
        let mut fields = Self::default();
        record(&mut Visitor(|name, value| fields.0.push((name, value))));
        fields
    }

    pub(super) fn apply_to(self, span: &mut SpanRecord) {
        for (name, value) in self.0 {
            apply(span, name, value);
        }
    }
}

/// Puts a field of a span where it belongs.
pub(super) fn apply(span: &mut SpanRecord, name: &'static str, value: AttributeValue) {
    let Some(rest) = name.strip_prefix("otel.") else { return set_field(span, name, value) };
    match (rest, value) {
        ("name", AttributeValue::Text(text)) => span.name = text,
        ("kind", AttributeValue::Text(text)) => {
            span.kind = SpanKind::from_name(&text).unwrap_or(span.kind);
        }
        ("status_code", AttributeValue::Text(code)) => set_status(span, &code),
        ("status_message" | "status_description", AttributeValue::Text(text)) => {
            span.status = Status::Error(text);
        }
        (_, value) => set_field(span, name, value),
    }
}

fn set_status(span: &mut SpanRecord, code: &str) {
    if code.eq_ignore_ascii_case("ok") {
        span.status = Status::Ok;
    } else if code.eq_ignore_ascii_case("error") && !span.status.is_error() {
        span.status = Status::error("");
    }
}

fn set_field(span: &mut SpanRecord, name: &'static str, value: AttributeValue) {
    if let Some(key) = name.strip_prefix("annotation.") {
        span.annotate(key, value);
    } else if let Some(rest) = name.strip_prefix("metadata.") {
        let default = (SpanRecord::DEFAULT_NAMESPACE, rest);
        let (namespace, key) = rest.split_once('.').unwrap_or(default);
        span.metadata(namespace, key, value);
    } else {
        span.attributes.set(name, value);
    }
}

/// Hands each field on as an attribute.
pub(super) struct Visitor<F>(pub(super) F);

impl<F: FnMut(&'static str, AttributeValue)> Visitor<F> {
    fn take(&mut self, field: &Field, value: impl Into<AttributeValue>) {
        (self.0)(field.name(), value.into());
    }
}

impl<F: FnMut(&'static str, AttributeValue)> Visit for Visitor<F> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, bounded(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, beginning(value, MAX_TEXT).to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.take(field, bounded(format_args!("{value}")));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value);
    }
}

/// The longest text of an attribute, in bytes.
const MAX_TEXT: usize = 4096;

/// As much of `text` as `room` bytes hold.
fn beginning(text: &str, room: usize) -> &str {
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Formats until the text is full; what is left is not even formatted.
pub(super) fn bounded(arguments: fmt::Arguments<'_>) -> String {
    struct Bounded(String);

    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let fitting = beginning(text, MAX_TEXT - self.0.len());
            self.0.push_str(fitting);
            if fitting.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
        }
    }

    let mut text = Bounded(String::new());
    // The only error is the one above: the text is full.
    let _ = text.write_fmt(arguments);
    text.0
}
