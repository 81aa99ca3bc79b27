//! Keeps out of spans what the [`Redactor`] keeps out of lines.

use crate::log::{REDACTED, Redactor};

use super::attribute::{AttributeValue, Attributes, Text};
use super::record::{SpanRecord, Status};

/// Hides what `redactor` hides: in the name, the status, every attribute, annotation and piece of
/// metadata, and in events and links.
///
/// On the exporter's thread, once for all exporters; a span that holds no secret is not changed and
/// costs no allocation.
pub(super) fn redact(span: &mut SpanRecord, redactor: &Redactor) {
    text(&mut span.name, redactor);
    if let Status::Error(description) = &mut span.status {
        text(description, redactor);
    }
    for list in [&mut span.attributes, &mut span.annotations] {
        attributes(list, redactor);
    }
    for piece in &mut span.metadata {
        value(&piece.key, &mut piece.value, redactor);
    }
    for event in &mut span.events {
        text(&mut event.name, redactor);
        attributes(&mut event.attributes, redactor);
    }
    for link in &mut span.links {
        attributes(&mut link.attributes, redactor);
    }
}

fn attributes(attributes: &mut Attributes, redactor: &Redactor) {
    for (key, slot) in attributes.iter_mut() {
        value(key, slot, redactor);
    }
}

fn value(key: &str, slot: &mut AttributeValue, redactor: &Redactor) {
    if redactor.hides(key) {
        *slot = AttributeValue::from(REDACTED);
        return;
    }
    match slot {
        AttributeValue::Text(one) => text(one, redactor),
        AttributeValue::Texts(all) => all.iter_mut().for_each(|one| text(one, redactor)),
        AttributeValue::Bool(_) | AttributeValue::Int(_) | AttributeValue::Float(_) => {}
    }
}

fn text(text: &mut Text, redactor: &Redactor) {
    if let Some(scrubbed) = redactor.scrubbed(text) {
        *text = scrubbed.into();
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Timestamp;
    use crate::id::{SpanId, TraceId};
    use crate::trace::{SpanEvent, SpanKind, SpanLink};

    use super::*;

    const CARD: &str = "paid with 4111 1111 1111 1111";

    fn span() -> SpanRecord {
        let (trace, span) = (TraceId::new(1).unwrap(), SpanId::new(2).unwrap());
        let mut span = SpanRecord::new("mail a@example.com", SpanKind::Client, trace, span);
        span.status = Status::error("no user b@example.com");
        span.attributes.push("http.request.header.Set-Cookie", vec![Text::from("sid=1")]);
        span.attributes.push("db.password", 1234);
        span.attributes.push("db.query.text", CARD);
        span.attributes.push("tags", vec![Text::from("ok"), Text::from("c@example.com")]);
        span.attributes.push("http.response.status_code", 200);
        span.annotate("apiKey", "k");
        span.metadata("cart", "card-number", "1");
        span.metadata("cart", "note", CARD);
        let mut event = SpanEvent::new("exception", Timestamp::default());
        event.attributes.push("exception.message", "refused: AKIAIOSFODNN7EXAMPLE");
        span.add_event(event);
        let mut link = SpanLink::new(trace, SpanId::new(3).unwrap());
        link.attributes.push("token", "t");
        span.add_link(link);
        span
    }

    fn shown(attributes: &Attributes) -> Vec<(&str, AttributeValue)> {
        attributes.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()
    }

    #[test]
    fn every_part_of_a_span_is_redacted_by_key_and_by_pattern() {
        let mut span = span();
        redact(&mut span, &Redactor::new());
        assert_eq!(span.name, "mail [mail]");
        assert_eq!(span.status, Status::error("no user [mail]"));
        assert_eq!(
            shown(&span.attributes),
            [
                ("http.request.header.Set-Cookie", "[redacted]".into()),
                ("db.password", "[redacted]".into()),
                ("db.query.text", "paid with [card]".into()),
                ("tags", vec![Text::from("ok"), Text::from("[mail]")].into()),
                ("http.response.status_code", 200.into()),
            ]
        );
        assert_eq!(shown(&span.annotations), [("apiKey", "[redacted]".into())]);
        let metadata: Vec<_> = span.metadata.iter().map(|piece| piece.value.clone()).collect();
        assert_eq!(metadata, ["[redacted]".into(), "paid with [card]".into()]);
        assert_eq!(
            shown(&span.events[0].attributes),
            [("exception.message", "refused: [token]".into())]
        );
        assert_eq!(shown(&span.links[0].attributes), [("token", "[redacted]".into())]);
    }

    #[test]
    fn a_redactor_that_hides_nothing_leaves_a_span_as_it_is() {
        let mut redacted = span();
        redact(&mut redacted, &Redactor::none());
        assert_eq!(redacted, span());
    }
}
