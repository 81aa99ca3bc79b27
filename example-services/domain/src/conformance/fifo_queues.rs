//! The contract of [`Queue`], for FIFO queues.
//!
//! The queue has a visibility timeout of 30 s and, for messages received twice, the dead-letter
//! queue that one clause takes as well.

use std::time::Duration;

use futures_util::future::join;

use super::time::Passing;
use crate::port::messaging::{
    DEDUPLICATION_INTERVAL, Message, MessagingErrorKind, NewMessage, Queue, Receive, Sent,
};

async fn send(queue: &dyn Queue, group: &str, body: &str) -> Sent {
    queue.send(&NewMessage::new(body).fifo(group, body)).await.expect("send")
}

async fn now(queue: &dyn Queue, max: usize) -> Vec<Message> {
    queue.receive(Receive::now(max)).await.expect("receive")
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

/// Messages of a group come in the order in which they were sent.
pub async fn a_group_keeps_its_order(queue: &dyn Queue) {
    let mut last = None;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2"), ("a", "a3")] {
        let sent = send(queue, group, body).await;
        assert!(sent.sequence > last, "sequences grow");
        last = sent.sequence;
    }
    let mut seen = Vec::new();
    loop {
        let messages = now(queue, 2).await;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            queue.delete(&message.receipt).await.expect("delete");
            seen.push(message.body);
        }
    }
    for group in ["a", "b"] {
        let of_group: Vec<_> = seen.iter().filter(|body| body.starts_with(group)).collect();
        let mut sorted = of_group.clone();
        sorted.sort();
        assert_eq!(of_group, sorted);
    }
    assert_eq!(seen.len(), 5);
}

/// While a message is in flight, its group waits and other groups do not.
pub async fn a_group_is_locked_while_one_of_it_is_in_flight(queue: &dyn Queue, time: &dyn Passing) {
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        send(queue, group, body).await;
    }
    let first = now(queue, 1).await;
    assert_eq!(bodies(&first), ["a1"]);
    assert_eq!(first[0].group_id.as_deref(), Some("a"));
    let other = now(queue, 10).await;
    assert_eq!(bodies(&other), ["b1"]);
    assert_eq!(now(queue, 10).await, []);
    // The receiver died: the same message comes first again.
    time.pass(Duration::from_secs(30)).await;
    let again = now(queue, 1).await;
    assert_eq!((bodies(&again), again[0].receive_count), (vec!["a1"], 2));
    queue.delete(&again[0].receipt).await.expect("delete");
    assert!(bodies(&now(queue, 10).await).contains(&"a2"));
}

/// A long poll ends when a group is unlocked.
pub async fn a_long_poll_ends_when_a_group_is_unlocked(queue: &dyn Queue) {
    send(queue, "a", "a1").await;
    send(queue, "a", "a2").await;
    let first = now(queue, 1).await;
    let poll = queue.receive(Receive::now(10).wait(Duration::from_secs(20)));
    let (next, deleted) = join(poll, queue.delete(&first[0].receipt)).await;
    deleted.expect("delete");
    assert_eq!(bodies(&next.expect("receive")), ["a2"]);
}

/// A duplicate is accepted and dropped for five minutes, also after the first was deleted.
pub async fn a_duplicate_is_dropped_for_five_minutes(queue: &dyn Queue, time: &dyn Passing) {
    let message = NewMessage::new("pay").fifo("order-1", "order-1-attempt-1");
    let first = queue.send(&message).await.expect("send");
    assert_eq!(queue.send(&message).await.expect("send again"), first);
    let received = now(queue, 10).await;
    assert_eq!(received.len(), 1);
    queue.delete(&received[0].receipt).await.expect("delete");
    time.pass(DEDUPLICATION_INTERVAL - Duration::from_secs(5)).await;
    assert_eq!(queue.send(&message).await.expect("send again"), first);
    assert_eq!(now(queue, 10).await, []);
    time.pass(Duration::from_secs(5)).await;
    assert_ne!(queue.send(&message).await.expect("send later"), first);
    assert_eq!(now(queue, 10).await.len(), 1);
}

/// Without a deduplication id, the body stands for itself.
pub async fn without_an_id_equal_bodies_are_duplicates(queue: &dyn Queue) {
    let mut message = NewMessage { group_id: Some("g".to_owned()), ..NewMessage::new("same") };
    queue.send(&message).await.expect("send");
    queue.send(&message).await.expect("send again");
    message.body = "other".to_owned();
    queue.send(&message).await.expect("send");
    assert_eq!(bodies(&now(queue, 10).await), ["same", "other"]);
}

/// A poisonous message goes to the dead-letter queue and its group goes on.
pub async fn a_poisonous_message_does_not_stop_its_group(
    queue: &dyn Queue,
    dead_letters: &dyn Queue,
) {
    send(queue, "a", "poison").await;
    send(queue, "a", "good").await;
    for _ in 0..2 {
        let received = now(queue, 1).await;
        assert_eq!(bodies(&received), ["poison"]);
        queue.extend(&received[0].receipt, Duration::ZERO).await.expect("give back");
    }
    assert_eq!(bodies(&now(queue, 10).await), ["good"]);
    assert_eq!(bodies(&dead_letters.peek(10).await.expect("peek")), ["poison"]);
}

/// A message without a group is refused.
pub async fn a_message_without_a_group_is_refused(queue: &dyn Queue) {
    assert!(queue.is_fifo());
    let delayed = NewMessage::new("b").fifo("g", "d").delay(Duration::from_secs(1));
    for message in [NewMessage::new("b"), NewMessage::new("b").fifo("", "d"), delayed] {
        let error = queue.send(&message).await.expect_err("not for a FIFO queue");
        assert_eq!(error.kind(), MessagingErrorKind::Invalid);
    }
}
