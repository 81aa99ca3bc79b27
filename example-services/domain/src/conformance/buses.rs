//! The contract of [`EventBus`].
//!
//! The bus has two rules. `paid`: events of the source `shop` and the type `order.updated` whose
//! `detail.status` is `PAID`, to the queues `one` and `two`. `all`: events of any source that
//! begins with `shop`, to the queue `two`.

use serde_json::{Map, Value, json};

use crate::port::messaging::{
    EventBus, MAX_EVENTS, MAX_MESSAGE_BYTES, MessagingErrorKind, NewEvent, Put, Queue, Receive,
    Replay, TRACE_HEADER,
};

fn event(detail_type: &str, detail: Value) -> NewEvent {
    let Value::Object(detail) = detail else { unreachable!("a detail of the suite") };
    NewEvent {
        source: "shop".to_owned(),
        detail_type: detail_type.to_owned(),
        time_ms: 1_767_225_600_123,
        detail,
        trace_header: Some("Root=1-2-3".to_owned()),
    }
}

fn paid() -> NewEvent {
    event("order.updated", json!({"status": "PAID", "_trace": {"traceparent": "00-a-b-01"}}))
}

async fn put(bus: &dyn EventBus, event: NewEvent) -> String {
    match bus.put(&[event]).await.expect("put").remove(0) {
        Put::Accepted { event_id, .. } => event_id,
        Put::Refused(because) => panic!("refused: {because}"),
    }
}

async fn drain(queue: &dyn Queue) -> Vec<Value> {
    let messages = queue.receive(Receive::now(10)).await.expect("receive");
    for message in &messages {
        queue.delete(&message.receipt).await.expect("delete");
    }
    messages.iter().map(|message| serde_json::from_str(&message.body).expect("JSON")).collect()
}

/// An event reaches all targets of all rules that match, in EventBridge's form.
pub async fn an_event_reaches_all_targets_of_all_rules_that_match(
    bus: &dyn EventBus,
    one: &dyn Queue,
    two: &dyn Queue,
) {
    let id = put(bus, paid()).await;
    let messages = one.receive(Receive::now(10)).await.expect("receive");
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].system_attributes[TRACE_HEADER], "Root=1-2-3");
    let event: Value = serde_json::from_str(&messages[0].body).expect("JSON");
    assert_eq!(event["version"], "0");
    assert_eq!(event["id"], id);
    assert_eq!(event["source"], "shop");
    assert_eq!(event["detail-type"], "order.updated");
    assert_eq!(event["time"], "2026-01-01T00:00:00Z");
    assert_eq!(event["detail"], Value::Object(paid().detail));
    assert_eq!(drain(two).await, [event.clone(), event]);
}

/// An event that matches one rule reaches its targets only; one that matches none reaches nobody.
pub async fn an_event_reaches_no_target_of_a_rule_that_does_not_match(
    bus: &dyn EventBus,
    one: &dyn Queue,
    two: &dyn Queue,
) {
    put(bus, event("order.updated", json!({"status": "NEW"}))).await;
    put(bus, NewEvent { source: "elsewhere".to_owned(), ..paid() }).await;
    assert_eq!(drain(one).await, [] as [Value; 0]);
    let events = drain(two).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["detail"]["status"], "NEW");
}

/// One event that is refused leaves the others of the call alone.
pub async fn a_refused_event_leaves_the_others_alone(bus: &dyn EventBus, one: &dyn Queue) {
    let large = json!({ "x": "x".repeat(MAX_MESSAGE_BYTES) });
    let nameless = NewEvent { source: String::new(), ..paid() };
    let reserved = NewEvent { source: "aws.s3".to_owned(), ..paid() };
    let events = [nameless, paid(), event("order.updated", large), reserved];
    let puts = bus.put(&events).await.expect("put");
    let accepted: Vec<_> = puts.iter().map(|put| matches!(put, Put::Accepted { .. })).collect();
    assert_eq!(accepted, [false, true, false, false]);
    assert_eq!(drain(one).await.len(), 1);
    for events in [Vec::new(), vec![paid(); MAX_EVENTS + 1]] {
        let error = bus.put(&events).await.expect_err("too few or too many");
        assert_eq!(error.kind(), MessagingErrorKind::Invalid);
    }
}

/// The archive has every event, and a replay delivers those of a time again.
pub async fn a_replay_delivers_archived_events_again(
    bus: &dyn EventBus,
    one: &dyn Queue,
    two: &dyn Queue,
) {
    let time_ms = paid().time_ms;
    let id = put(bus, paid()).await;
    put(bus, NewEvent { time_ms: time_ms + 1_000, ..paid() }).await;
    drain(one).await;
    drain(two).await;
    let archived = bus.archived(time_ms, 10).await.expect("archived");
    assert_eq!(archived.len(), 2);
    assert_eq!((archived[0].event_id.as_str(), &archived[0].event), (id.as_str(), &paid()));
    assert_eq!(bus.archived(time_ms + 1, 10).await.expect("archived").len(), 1);

    let name = "again".to_owned();
    let mut replay = Replay { name, from_ms: time_ms, to_ms: time_ms + 1_000, rule: None };
    assert_eq!(bus.replay(&replay).await.expect("replay"), 1);
    let events = drain(one).await;
    assert_eq!((&events[0]["id"], &events[0]["replay-name"]), (&json!(id), &json!("again")));
    assert_eq!(drain(two).await.len(), 2);

    replay.rule = Some("all".to_owned());
    assert_eq!(bus.replay(&replay).await.expect("replay"), 1);
    assert_eq!((drain(one).await.len(), drain(two).await.len()), (0, 1));
    replay.rule = Some("unknown".to_owned());
    let error = bus.replay(&replay).await.expect_err("an unknown rule");
    assert_eq!(error.kind(), MessagingErrorKind::NotFound);
}

/// The bus tells what each rule said of an event, and why.
pub async fn the_bus_explains_what_each_rule_said(bus: &dyn EventBus) {
    let id = put(bus, event("order.updated", json!({"status": "NEW"}))).await;
    let verdicts = bus.explain(&id).await.expect("explain").expect("an archived event");
    let paid = verdicts.iter().find(|verdict| verdict.rule == "paid").expect("the rule");
    assert!(!paid.matched && paid.targets.is_empty());
    assert_eq!(paid.because.as_deref(), Some("detail.status is \"NEW\", which is not [\"PAID\"]"));
    let all = verdicts.iter().find(|verdict| verdict.rule == "all").expect("the rule");
    assert!(all.matched && all.because.is_none());
    assert_eq!(all.targets, ["queue:two"]);
    assert_eq!(bus.explain("evt-999999").await.expect("explain"), None);
    assert_eq!(bus.explain("unheard of").await.expect("explain"), None);
    let empty = NewEvent { detail: Map::new(), ..event("x", json!({})) };
    put(bus, empty).await;
}
