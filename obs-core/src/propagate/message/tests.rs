use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Baggage, Carrier, Extracted, Outgoing, Propagators, TrustPolicy, field};
use super::{MAX_LINKS, MessageFields, embedded, kinesis, sns, sqs};
use crate::clock::{Clock, ManualClock};
use crate::id::{CorrelationId, IdGenerator, SpanId, TraceId};

fn clock() -> Clock {
    ManualClock::default().clock()
}

struct Sender {
    trace_id: TraceId,
    span_id: SpanId,
    correlation_id: CorrelationId,
    baggage: Baggage,
}

impl Sender {
    fn new(seed: u64) -> Self {
        let ids = IdGenerator::seeded(seed);
        Self {
            trace_id: ids.trace_id(&clock()),
            span_id: ids.span_id(),
            correlation_id: ids.correlation_id(&clock()),
            baggage: Baggage::empty().with("plan", "gold").unwrap(),
        }
    }

    fn fields(&self) -> MessageFields {
        let mut outgoing = Outgoing::new(self.trace_id, self.span_id, true)
            .correlation_id(&self.correlation_id)
            .baggage(&self.baggage);
        outgoing.tenant_id = Some("acme");
        outgoing.user_id = Some("ann");
        outgoing.timeout = Some(std::time::Duration::from_secs(1));
        outgoing.attempt = Some(2);
        let mut fields = MessageFields::default();
        Propagators::default().inject(&outgoing, &mut fields, &TrustPolicy::message());
        fields
    }

    fn arrives_in(&self, carrier: &impl Carrier) {
        let extracted = Propagators::default().extract(carrier, &TrustPolicy::message());
        let parent = extracted.parent.expect("the trace is continued");
        assert_eq!((parent.trace_id, parent.parent_span), (self.trace_id, Some(self.span_id)));
        assert_eq!(parent.sampled, Some(true));
        assert_eq!(extracted.correlation_id.as_ref(), Some(&self.correlation_id));
        assert_eq!(extracted.baggage, self.baggage);
        assert_eq!(extracted.tenant_id.as_deref(), Some("acme"));
        assert!(extracted.links.is_empty());
    }
}

fn attributes(fields: &MessageFields) -> HashMap<String, String> {
    let attributes = fields.attributes(sqs::MAX_ATTRIBUTES);
    attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn system(fields: &MessageFields) -> BTreeMap<String, String> {
    let header = fields.trace_header().unwrap().to_owned();
    BTreeMap::from([(sqs::TRACE_HEADER.to_owned(), header)])
}

#[test]
fn an_sqs_message_continues_its_sender_s_trace() {
    let sender = Sender::new(1);
    let fields = sender.fields();
    sender.arrives_in(&sqs::Message::new(&system(&fields), &attributes(&fields)));
}

#[test]
fn either_half_of_an_sqs_message_is_enough_for_the_trace() {
    let sender = Sender::new(1);
    let fields = sender.fields();
    let nothing = BTreeMap::<String, String>::new();
    sender.arrives_in(&sqs::Message::new(&nothing, &attributes(&fields)));
    let system = system(&fields);
    let message = sqs::Message::new(&system, &nothing);
    let extracted = Propagators::default().extract(&message, &TrustPolicy::message());
    assert_eq!(extracted.parent.unwrap().parent_span, Some(sender.span_id));
}

#[test]
fn the_system_attribute_wins_over_an_attribute_of_the_header_s_name() {
    let (real, forged) = (Sender::new(1), Sender::new(2));
    let forged = forged.fields().trace_header().unwrap().to_owned();
    let attributes = HashMap::from([("X-Amzn-Trace-Id".to_owned(), forged)]);
    let system = system(&real.fields());
    let message = sqs::Message::new(&system, &attributes);
    let extracted = Propagators::default().extract(&message, &TrustPolicy::message());
    assert_eq!(extracted.parent.unwrap().trace_id, real.trace_id);
}

#[test]
fn a_message_tells_neither_a_time_limit_nor_an_attempt() {
    let fields = Sender::new(1).fields();
    let names: Vec<_> = fields.attributes(10).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(
        names,
        ["traceparent", "x-correlation-id", "baggage", "x-tenant-id", "x-user-id"],
        "the most important first"
    );
    assert_eq!(fields.attributes(2).count(), 2, "no more than there is room for");
}

#[test]
fn an_sns_notification_continues_its_publisher_s_trace() {
    let sender = Sender::new(1);
    let attributes: Map<String, Value> = attributes(&sender.fields())
        .into_iter()
        .map(|(name, value)| (name, json!({"Type": "String", "Value": value})))
        .chain([("size".to_owned(), json!({"Type": "Number", "Value": "3"}))])
        .collect();
    let body = json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "Message": "hello",
        "MessageAttributes": attributes,
    });
    let envelope = sns::Envelope::parse(body.to_string().as_bytes()).unwrap();
    assert_eq!(envelope.message, "hello");
    assert!(!envelope.attributes.contains_key("size"));
    sender.arrives_in(&envelope);
}

#[test]
fn what_is_no_notification_is_no_envelope() {
    for body in [
        "",
        "hello",
        "[]",
        "{}",
        r#"{"Type":"SubscriptionConfirmation","Message":"m"}"#,
        r#"{"Type":"Notification"}"#,
        r#"{"Type":"Notification","Message":7}"#,
    ] {
        assert_eq!(sns::Envelope::parse(body.as_bytes()), None, "{body}");
    }
    let odd = r#"{"Type":"Notification","Message":"m","MessageAttributes":{"a":7,"b":{"Type":"String"}}}"#;
    assert!(sns::Envelope::parse(odd.as_bytes()).unwrap().attributes.is_empty());
}

#[test]
fn an_event_s_detail_and_an_execution_s_input_carry_the_trace_inside() {
    let sender = Sender::new(1);
    let Value::Object(mut detail) = json!({"order_id": "o-1", "_trace": "stale"}) else {
        unreachable!("it is an object")
    };
    assert!(embedded::get(&detail).is_none());
    embedded::insert(&mut detail, &sender.fields());
    let text = Value::Object(detail).to_string();
    let Value::Object(mut arrived) = serde_json::from_str(&text).unwrap() else {
        unreachable!("it is an object")
    };
    sender.arrives_in(embedded::get(&arrived).unwrap());
    sender.arrives_in(&embedded::remove(&mut arrived).unwrap());
    assert_eq!(Value::Object(arrived), json!({"order_id": "o-1"}));
}

#[test]
fn a_kinesis_record_carries_the_trace_around_its_data() {
    let sender = Sender::new(1);
    for data in
        [&b"{\"price\": 1.50, \"a\": 1, \"a\": 2}"[..], b"\xff\x00binary", b"", b"text", b"7"]
    {
        let wrapped = kinesis::wrap(data, &sender.fields());
        assert!(serde_json::from_slice::<Value>(&wrapped).is_ok());
        let record = kinesis::Record::parse(&wrapped);
        assert_eq!(&*record.data, data, "byte for byte");
        sender.arrives_in(&record);
    }
}

#[test]
fn a_record_without_an_envelope_is_its_own_data() {
    for record in [
        &b"plain"[..],
        b"{}",
        b"{\"data\":1}",
        b"{\"_trace\":{}}",
        b"{\"_trace\":[],\"data\":1}",
        b"{\"_trace\":{},\"data\":1,\"more\":2}",
        b"{\"_trace\":{},\"other\":1}",
        b"{\"_trace\":{},\"data_base64\":\"?\"}",
        b"\xff",
    ] {
        let parsed = kinesis::Record::parse(record);
        assert_eq!((&*parsed.data, parsed.fields.len()), (record, 0));
    }
}

fn batch(senders: &[Sender]) -> Extracted {
    let messages: Vec<_> = senders.iter().map(Sender::fields).collect();
    let messages = messages.iter().map(attributes);
    Propagators::default().extract_batch(messages, &TrustPolicy::message())
}

#[test]
fn a_batch_of_one_continues_and_a_larger_one_links() {
    assert_eq!(batch(&[]), Extracted::default());
    let one = batch(&[Sender::new(1)]);
    assert_eq!(one.parent.unwrap().trace_id, Sender::new(1).trace_id);
    assert!(one.links.is_empty());

    let several = batch(&[Sender::new(1), Sender::new(2), Sender::new(1)]);
    assert_eq!(several.parent, None);
    let linked: Vec<_> = several.links.iter().map(|link| link.trace_id).collect();
    assert_eq!(linked, [Sender::new(1).trace_id, Sender::new(2).trace_id], "each once, in order");
    assert_eq!(several.correlation_id, None, "they differ");
    assert_eq!(several.tenant_id.as_deref(), Some("acme"), "they agree");
    assert_eq!(several.baggage.as_str(), "plan=gold");
}

#[test]
fn a_batch_keeps_as_many_links_as_x_ray_takes() {
    let senders: Vec<_> = (0..30).map(Sender::new).collect();
    assert_eq!(batch(&senders).links.len(), MAX_LINKS);
}

#[test]
fn hostile_attributes_are_treated_like_hostile_headers() {
    let attributes = HashMap::from([
        ("x-correlation-id".to_owned(), "a\r\nb".to_owned()),
        ("baggage".to_owned(), "a=1;p=%2Crole=admin".to_owned()),
        ("traceparent".to_owned(), "00-1-1-01".to_owned()),
    ]);
    let extracted = Propagators::default().extract(&attributes, &TrustPolicy::message());
    assert_eq!((extracted.parent, extracted.correlation_id), (None, None));
    assert_eq!(extracted.rejected_correlation.unwrap().length, 4);
    assert_eq!(extracted.baggage.iter().count(), 1);
    assert!(attributes.get_all(&field::TRACEPARENT).next().is_some());
}

proptest! {
    #[test]
    fn any_data_survive_a_kinesis_envelope(data in prop::collection::vec(any::<u8>(), 0..80)) {
        let record = kinesis::wrap(&data, &MessageFields::default());
        let parsed = kinesis::Record::parse(&record);
        // JSON may stand between blanks; then they are gone.
        prop_assert_eq!(parsed.data.trim_ascii(), data.trim_ascii());
    }

    #[test]
    fn no_record_and_no_body_makes_the_parsers_panic(bytes in "\\PC{0,80}") {
        let _ = kinesis::Record::parse(bytes.as_bytes());
        let _ = sns::Envelope::parse(bytes.as_bytes());
    }
}
