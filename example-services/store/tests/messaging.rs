//! The SQLite queues, topics, bus, streams and outboxes keep the contracts of their ports.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shop_contracts::Topology;
use shop_contracts::topology::Files;
use shop_domain::conformance;
use shop_domain::conformance::time::ManualTime;
use shop_domain::port::StoreFuture;
use shop_domain::port::messaging::{EventBus, NewEvent, NewMessage, Queue, Receive, Stream, Topic};
use shop_store::outbox::{self, SqliteOutbox};
use shop_store::{Broker, Database};

/// What the suites ask for.
const FILES: Files<'static> = Files {
    queues: r#"{"Queues": [
        {"QueueName": "q", "Attributes": {"RedrivePolicy":
            {"deadLetterTargetArn": "arn:aws:sqs:r:a:dlq", "maxReceiveCount": 3}}},
        {"QueueName": "dlq"},
        {"QueueName": "q.fifo", "Attributes": {"FifoQueue": true, "RedrivePolicy":
            {"deadLetterTargetArn": "arn:aws:sqs:r:a:dlq.fifo", "maxReceiveCount": 2}}},
        {"QueueName": "dlq.fifo", "Attributes": {"FifoQueue": true}},
        {"QueueName": "all"}, {"QueueName": "email"}, {"QueueName": "large"},
        {"QueueName": "one"}, {"QueueName": "two"},
        {"QueueName": "short", "Attributes": {"MessageRetentionPeriod": 60, "DelaySeconds": 5}}
    ]}"#,
    topics: r#"{"Topics": [{"Name": "t", "Subscriptions": [
        {"Protocol": "sqs", "Endpoint": "arn:aws:sqs:r:a:all", "RawMessageDelivery": true},
        {"Protocol": "sqs", "Endpoint": "arn:aws:sqs:r:a:email", "RawMessageDelivery": true,
            "FilterPolicy": {"channel": ["email"]}},
        {"Protocol": "sqs", "Endpoint": "arn:aws:sqs:r:a:large", "RawMessageDelivery": true,
            "FilterPolicyScope": "MessageBody", "FilterPolicy": {"total": [{"numeric": [">", 100]}]}}
    ]}]}"#,
    bus_rules: r#"{"EventBusName": "b", "Rules": [
        {"Name": "paid", "EventPattern":
            {"source": ["shop"], "detail-type": ["order.updated"], "detail": {"status": ["PAID"]}},
            "Targets": [{"Id": "1", "Arn": "arn:aws:sqs:r:a:one"},
                        {"Id": "2", "Arn": "arn:aws:sqs:r:a:two"}]},
        {"Name": "all", "EventPattern": {"source": [{"prefix": "shop"}]},
            "Targets": [{"Id": "1", "Arn": "arn:aws:sqs:r:a:two"}]},
        {"Name": "far", "EventPattern": {"source": ["far"]}, "Targets": [
            {"Id": "w", "Arn": "arn:aws:states:r:a:stateMachine:w", "InputPath": "$.detail",
             "RetryPolicy": {"MaximumRetryAttempts": 1},
             "DeadLetterConfig": {"Arn": "arn:aws:sqs:r:a:dlq"}},
            {"Id": "s", "Arn": "arn:aws:kinesis:r:a:stream/s",
             "KinesisParameters": {"PartitionKeyPath": "$.detail.subject"}},
            {"Id": "t", "Arn": "arn:aws:sns:r:a:t"}]}
    ]}"#,
    streams: r#"{"Streams": [{"StreamName": "s", "ShardCount": 2, "RetentionPeriodHours": 1}]}"#,
};

fn open(folder: &Path, time: &ManualTime) -> Broker {
    let topology = Topology::parse(FILES).unwrap();
    Broker::open(&folder.join("messaging.db"), topology, Arc::new(time.clone())).unwrap()
}

macro_rules! conforms {
    ($suite:ident($time:ident, $broker:ident): $($clause:ident($($argument:expr),*))*) => {
        mod $suite {
            use super::*;
            $(
                #[tokio::test]
                async fn $clause() {
                    let folder = tempfile::tempdir().unwrap();
                    let $time = &ManualTime::default();
                    let $broker = &open(folder.path(), $time);
                    let suite = async {
                        conformance::$suite::$clause($($argument),*).await;
                    };
                    // Time stands still: who is not woken waits for ever.
                    tokio::time::timeout(Duration::from_secs(60), suite).await.unwrap();
                }
            )*
        }
    };
}

fn queue(broker: &Broker, name: &str) -> impl Queue + use<> {
    broker.queue(name).unwrap()
}

fn subscribed(broker: &Broker) -> [Box<dyn Queue>; 3] {
    ["all", "email", "large"].map(|name| Box::new(queue(broker, name)) as Box<dyn Queue>)
}

fn refs(queues: &[Box<dyn Queue>; 3]) -> [&dyn Queue; 3] {
    queues.each_ref().map(|queue| &**queue)
}

conforms!(queues(time, broker):
    a_message_is_received_as_it_was_and_deleted_once(&queue(broker, "q"))
    a_message_comes_again_after_its_visibility_timeout(&queue(broker, "q"), time)
    a_visibility_timeout_can_be_changed(&queue(broker, "q"), time)
    a_message_received_too_often_goes_to_the_dead_letter_queue(
        &queue(broker, "q"), &queue(broker, "dlq"))
    a_delayed_message_comes_after_its_delay(&queue(broker, "q"), time)
    a_long_poll_ends_with_a_message_or_its_time(&queue(broker, "q"), time)
    a_long_poll_ends_with_a_message_that_becomes_visible(&queue(broker, "q"), time)
    receivers_share_no_message_and_leave_none(&queue(broker, "q"))
    the_depth_counts_each_message_once(&queue(broker, "q"), time)
    what_is_beyond_a_limit_is_refused(&queue(broker, "q")));

conforms!(fifo_queues(time, broker):
    a_group_keeps_its_order(&queue(broker, "q.fifo"))
    a_group_is_locked_while_one_of_it_is_in_flight(&queue(broker, "q.fifo"), time)
    a_long_poll_ends_when_a_group_is_unlocked(&queue(broker, "q.fifo"))
    a_duplicate_is_dropped_for_five_minutes(&queue(broker, "q.fifo"), time)
    without_an_id_equal_bodies_are_duplicates(&queue(broker, "q.fifo"))
    a_poisonous_message_does_not_stop_its_group(
        &queue(broker, "q.fifo"), &queue(broker, "dlq.fifo"))
    a_message_without_a_group_is_refused(&queue(broker, "q.fifo")));

conforms!(topics(time, broker):
    each_subscription_gets_what_its_filter_policy_lets_through(
        &broker.topic("t").unwrap(), refs(&subscribed(broker)))
    attributes_arrive_as_they_were_published(
        &broker.topic("t").unwrap(), refs(&subscribed(broker)), time)
    what_is_beyond_a_limit_is_refused(&broker.topic("t").unwrap()));

conforms!(buses(time, broker):
    an_event_reaches_all_targets_of_all_rules_that_match(
        &broker.bus(), &queue(broker, "one"), &queue(broker, "two"))
    an_event_reaches_no_target_of_a_rule_that_does_not_match(
        &broker.bus(), &queue(broker, "one"), &queue(broker, "two"))
    a_refused_event_leaves_the_others_alone(&broker.bus(), &queue(broker, "one"))
    a_replay_delivers_archived_events_again(
        &broker.bus(), &queue(broker, "one"), &queue(broker, "two"))
    the_bus_explains_what_each_rule_said(&broker.bus()));

conforms!(streams(time, broker):
    a_key_keeps_its_order_in_one_shard(&broker.stream("s").unwrap())
    records_can_be_read_again_from_any_place(&broker.stream("s").unwrap(), time)
    a_checkpoint_never_goes_back(&broker.stream("s").unwrap())
    the_lag_is_what_a_reader_has_not_done_with(&broker.stream("s").unwrap(), time)
    a_reader_that_waits_is_woken_by_a_record(&broker.stream("s").unwrap())
    what_is_beyond_a_limit_is_refused(&broker.stream("s").unwrap()));

struct Announced {
    outbox: SqliteOutbox,
    database: Database,
    bell: outbox::Bell,
}

fn announced(folder: &Path, time: &ManualTime) -> Announced {
    let database = Database::open(&folder.join("store.db"), &[outbox::MIGRATION]).unwrap();
    let bell = outbox::Bell::default();
    let outbox = SqliteOutbox::new(database.clone(), bell.clone(), Arc::new(time.clone()));
    Announced { outbox, database, bell }
}

impl Announced {
    fn write(&self) -> impl Fn(NewEvent) -> StoreFuture<'static, ()> + use<> {
        let (database, bell) = (self.database.clone(), self.bell.clone());
        move |event| {
            let (database, bell) = (database.clone(), bell.clone());
            Box::pin(async move {
                let append = move |db: &_| outbox::append(db, &event);
                database.write_then("write", append, move |()| bell.ring()).await
            })
        }
    }
}

#[tokio::test]
async fn an_event_stays_until_it_is_published() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let store = announced(folder.path(), &time);
    conformance::outboxes::an_event_stays_until_it_is_published(&store.outbox, store.write()).await;
}

#[tokio::test]
async fn a_relay_that_waits_is_woken_by_an_event() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let store = announced(folder.path(), &time);
    let suite = conformance::outboxes::a_relay_that_waits_is_woken_by_an_event;
    suite(&store.outbox, store.write(), &time).await;
}

#[tokio::test]
async fn who_waits_is_woken_by_another_who_has_the_file_open() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let (here, there) = (open(folder.path(), &time), open(folder.path(), &time));
    let message = NewMessage::new("from there");
    let (waiting, sending) = (queue(&here, "q"), queue(&there, "q"));
    let poll = waiting.receive(Receive::default());
    let (received, sent) = tokio::join!(poll, sending.send(&message));
    assert_eq!(received.unwrap()[0].message_id, sent.unwrap().message_id);
}

#[tokio::test]
async fn what_was_accepted_is_there_when_the_file_is_opened_again() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let broker = open(folder.path(), &time);
    let fifo = NewMessage::new("f").fifo("g", "d");
    let sent = queue(&broker, "q.fifo").send(&fifo).await.unwrap();
    broker.stream("s").unwrap().put("k", b"r").await.unwrap();
    let received = queue(&broker, "q.fifo").receive(Receive::now(1)).await.unwrap().remove(0);
    drop(broker);
    let broker = open(folder.path(), &time);
    // Still in flight, still a duplicate.
    let queue = queue(&broker, "q.fifo");
    assert_eq!(queue.receive(Receive::now(1)).await.unwrap(), []);
    assert_eq!(queue.send(&fifo).await.unwrap(), sent);
    queue.delete(&received.receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().total(), 0);
    assert_eq!(broker.stream("s").unwrap().lag("r").await.unwrap().records, 1);
}

#[tokio::test]
async fn a_message_is_kept_for_the_retention_period_of_its_queue() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let broker = open(folder.path(), &time);
    let queue = queue(&broker, "short");
    queue.send(&NewMessage::new("a")).await.unwrap();
    // The queue's own delay.
    assert_eq!(queue.depth().await.unwrap().delayed, 1);
    time.advance(Duration::from_secs(59));
    assert_eq!(queue.receive(Receive::now(1).visibility(Duration::ZERO)).await.unwrap().len(), 1);
    time.advance(Duration::from_secs(1));
    assert_eq!(queue.receive(Receive::now(1)).await.unwrap(), []);
    assert_eq!(queue.depth().await.unwrap().total(), 0);
}

fn far() -> NewEvent {
    let detail = serde_json::json!({"subject": "order-1", "total": 500});
    NewEvent {
        source: "far".to_owned(),
        detail_type: "order.created".to_owned(),
        time_ms: 1_767_225_600_000,
        detail: detail.as_object().unwrap().clone(),
        trace_header: Some("Root=1-2-3".to_owned()),
    }
}

#[tokio::test]
async fn an_event_reaches_streams_topics_and_targets_outside_of_the_file() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let broker = open(folder.path(), &time);
    broker.bus().put(&[far()]).await.unwrap();
    let stream = broker.stream("s").unwrap();
    let shard = stream.put("order-1", b"next").await.unwrap().shard;
    let position = shop_domain::port::messaging::Position::Oldest;
    let records = stream.read(&shard, position, 10, Duration::ZERO).await.unwrap();
    assert_eq!(records[0].key, "order-1");
    let topic = broker.topic("t").unwrap().subscriptions().await.unwrap();
    // The filter looks at the body, in which the total stands deeper.
    let delivered: Vec<_> = topic.iter().map(|subscription| subscription.delivered).collect();
    assert_eq!(delivered, [1, 0, 0]);
    let (target, outside) = broker.outside().next().unwrap();
    assert_eq!(target.to_string(), "workflow:w");
    let message = outside.receive(Receive::now(1)).await.unwrap().remove(0);
    // The part of the event that the target asks for.
    assert_eq!(message.body, r#"{"subject":"order-1","total":500}"#);
    assert_eq!(message.system_attributes["AWSTraceHeader"], "Root=1-2-3");
}

#[tokio::test]
async fn what_cannot_be_handed_to_a_target_goes_to_the_dead_letter_queue_of_the_target() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let broker = open(folder.path(), &time);
    broker.bus().put(&[far()]).await.unwrap();
    let (_, outside) = broker.outside().next().unwrap();
    for _ in 0..2 {
        assert_eq!(outside.receive(Receive::now(1)).await.unwrap().len(), 1);
        time.advance(Duration::from_secs(10));
    }
    assert_eq!(outside.receive(Receive::now(1)).await.unwrap(), []);
    assert_eq!(queue(&broker, "dlq").depth().await.unwrap().visible, 1);
}
