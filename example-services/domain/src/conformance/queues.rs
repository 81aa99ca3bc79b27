//! The contract of [`Queue`], for standard queues.
//!
//! The queue has a visibility timeout of 30 s and, for messages received three times, the
//! dead-letter queue that some clauses take as well.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::time::Passing;
use crate::port::messaging::{
    Depth, MAX_ATTRIBUTES, MAX_DELAY, MAX_MESSAGE_BYTES, MAX_VISIBILITY, MAX_WAIT, Message,
    MessagingErrorKind, NewMessage, Queue, Receive, TRACE_HEADER,
};

const SECOND: Duration = Duration::from_secs(1);

async fn send(queue: &dyn Queue, body: &str) {
    queue.send(&NewMessage::new(body)).await.expect("send");
}

async fn now(queue: &dyn Queue) -> Vec<Message> {
    queue.receive(Receive::now(10)).await.expect("receive")
}

/// The only message that is there.
async fn one(queue: &dyn Queue) -> Message {
    let mut messages = now(queue).await;
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

/// What is sent is received as it was, and is gone once it is deleted, however often.
pub async fn a_message_is_received_as_it_was_and_deleted_once(queue: &dyn Queue) {
    let mut message = NewMessage::new("{\"total\":1}").attribute("traceparent", "00-a-b-01");
    message.system_attributes.insert(TRACE_HEADER.to_owned(), "Root=1-2-3".to_owned());
    let sent = queue.send(&message).await.expect("send");
    let received = one(queue).await;
    assert_eq!(received.message_id, sent.message_id);
    assert_eq!(received.body, message.body);
    assert_eq!(received.attributes, message.attributes);
    assert_eq!(received.system_attributes[TRACE_HEADER], "Root=1-2-3");
    assert_eq!(received.receive_count, 1);
    for _ in 0..2 {
        queue.delete(&received.receipt).await.expect("delete");
        assert_eq!(queue.depth().await.expect("depth").total(), 0);
    }
}

/// A received message comes again after its visibility timeout, and not before, with a higher
/// count and another receipt.
pub async fn a_message_comes_again_after_its_visibility_timeout(
    queue: &dyn Queue,
    time: &dyn Passing,
) {
    send(queue, "a").await;
    let visibility = Receive::now(1).visibility(5 * SECOND);
    let first = queue.receive(visibility).await.expect("receive").remove(0);
    assert_eq!(now(queue).await, []);
    time.pass(4 * SECOND).await;
    assert_eq!(now(queue).await, []);
    time.pass(SECOND).await;
    let second = one(queue).await;
    assert_eq!((second.message_id.as_str(), second.receive_count), (&*first.message_id, 2));
    assert_eq!(second.first_received_at_ms, first.first_received_at_ms);
    assert_ne!(second.receipt, first.receipt);
    // The first receiver was too slow: what it says no longer counts.
    queue.delete(&first.receipt).await.expect("delete");
    assert_eq!(queue.depth().await.expect("depth").in_flight, 1);
    // The queue's own timeout.
    time.pass(30 * SECOND).await;
    assert_eq!(one(queue).await.receive_count, 3);
}

/// A visibility timeout can be made longer or ended, by the latest receiver only.
pub async fn a_visibility_timeout_can_be_changed(queue: &dyn Queue, time: &dyn Passing) {
    send(queue, "a").await;
    let first = one(queue).await;
    queue.extend(&first.receipt, 60 * SECOND).await.expect("extend");
    time.pass(59 * SECOND).await;
    assert_eq!(now(queue).await, []);
    queue.extend(&first.receipt, Duration::ZERO).await.expect("give back");
    let second = one(queue).await;
    assert_eq!(second.receive_count, 2);
    let late = queue.extend(&first.receipt, SECOND).await.expect_err("an old receipt");
    assert_eq!(late.kind(), MessagingErrorKind::Expired);
    let wrong = queue.extend("no receipt", SECOND).await.expect_err("no receipt");
    assert_eq!(wrong.kind(), MessagingErrorKind::Expired);
}

/// A message goes to the dead-letter queue when it would be received once too often, and can be
/// sent back.
pub async fn a_message_received_too_often_goes_to_the_dead_letter_queue(
    queue: &dyn Queue,
    dead_letters: &dyn Queue,
) {
    queue.send(&NewMessage::new("poison").attribute("n", "1")).await.expect("send");
    send(queue, "good").await;
    for attempt in 1..=3 {
        assert_eq!(dead_letters.depth().await.expect("depth").total(), 0);
        for message in now(queue).await {
            if message.body == "good" {
                queue.delete(&message.receipt).await.expect("delete");
            } else {
                assert_eq!(message.receive_count, attempt);
                queue.extend(&message.receipt, Duration::ZERO).await.expect("give back");
            }
        }
    }
    assert_eq!(now(queue).await, []);
    let dead = one(dead_letters).await;
    assert_eq!((dead.body.as_str(), dead.attributes["n"].as_str()), ("poison", "1"));
    assert_eq!(dead.dead_letter_source.as_deref(), Some(queue.name()));
    // What somebody is looking at stays where it is.
    assert_eq!(dead_letters.redrive(10).await.expect("redrive"), 0);
    dead_letters.extend(&dead.receipt, Duration::ZERO).await.expect("give back");
    assert_eq!(dead_letters.redrive(10).await.expect("redrive"), 1);
    let again = one(queue).await;
    assert_eq!((again.body.as_str(), again.receive_count), ("poison", 1));
    assert_eq!(again.dead_letter_source, None);
    assert_eq!(dead_letters.depth().await.expect("depth").total(), 0);
}

/// A delayed message comes after its delay.
pub async fn a_delayed_message_comes_after_its_delay(queue: &dyn Queue, time: &dyn Passing) {
    queue.send(&NewMessage::new("late").delay(9 * SECOND)).await.expect("send");
    assert_eq!(now(queue).await, []);
    assert_eq!(queue.depth().await.expect("depth").delayed, 1);
    time.pass(9 * SECOND).await;
    assert_eq!(one(queue).await.body, "late");
}

/// A long poll ends with the first message, whoever sends it, and without it when its time is up.
pub async fn a_long_poll_ends_with_a_message_or_its_time(queue: &dyn Queue, time: &dyn Passing) {
    let poll = || queue.receive(Receive::now(10).wait(20 * SECOND));
    let (received, ()) = join(poll(), send(queue, "a")).await;
    assert_eq!(received.expect("receive")[0].body, "a");
    let (received, ()) = join(poll(), time.pass(20 * SECOND)).await;
    assert_eq!(received.expect("receive"), []);
}

/// A long poll also ends with a message that becomes visible, or is given back, meanwhile.
pub async fn a_long_poll_ends_with_a_message_that_becomes_visible(
    queue: &dyn Queue,
    time: &dyn Passing,
) {
    queue.send(&NewMessage::new("a").delay(5 * SECOND)).await.expect("send");
    let poll = || queue.receive(Receive::now(10).wait(20 * SECOND));
    let (received, ()) = join(poll(), time.pass(5 * SECOND)).await;
    let received = received.expect("receive").remove(0);
    let give_back = queue.extend(&received.receipt, Duration::ZERO);
    let (received, given) = join(poll(), give_back).await;
    given.expect("give back");
    assert_eq!(received.expect("receive")[0].receive_count, 2);
}

/// Those who receive at the same time share no message and leave none.
pub async fn receivers_share_no_message_and_leave_none(queue: &dyn Queue) {
    let bodies: BTreeSet<_> = (0..60).map(|n| format!("m{n}")).collect();
    join_all(bodies.iter().map(|body| send(queue, body))).await;
    let receiver = async || {
        let mut seen = Vec::new();
        loop {
            let messages = now(queue).await;
            if messages.is_empty() {
                return seen;
            }
            for message in messages {
                queue.delete(&message.receipt).await.expect("delete");
                seen.push(message.body);
            }
        }
    };
    let seen: Vec<_> = join_all((0..6).map(|_| receiver())).await.concat();
    assert_eq!(seen.len(), bodies.len());
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), bodies);
}

/// The depth counts each message once, and knows the age of the oldest.
pub async fn the_depth_counts_each_message_once(queue: &dyn Queue, time: &dyn Passing) {
    assert_eq!(queue.depth().await.expect("depth"), Depth::default());
    send(queue, "a").await;
    time.pass(2 * SECOND).await;
    send(queue, "b").await;
    queue.send(&NewMessage::new("c").delay(SECOND)).await.expect("send");
    queue.receive(Receive::now(1)).await.expect("receive");
    let depth = queue.depth().await.expect("depth");
    assert_eq!((depth.visible, depth.in_flight, depth.delayed), (1, 1, 1));
    assert!(depth.oldest_age_ms >= 2_000);
    let bodies = queue.peek(10).await.expect("peek").into_iter().map(|message| message.body);
    assert!(bodies.eq(["a", "b", "c"]));
}

/// What is beyond a limit is refused, and what is at the limit is not.
pub async fn what_is_beyond_a_limit_is_refused(queue: &dyn Queue) {
    let attributes = |count: usize| {
        let new = |message: NewMessage, n| message.attribute(format!("a{n}"), "v");
        (0..count).fold(NewMessage::new("b"), new)
    };
    let largest = "x".repeat(MAX_MESSAGE_BYTES);
    for (message, allowed) in [
        (NewMessage::new(""), false),
        (NewMessage::new(largest.clone()), true),
        (NewMessage::new(largest.clone()).attribute("a", "v"), false),
        (attributes(MAX_ATTRIBUTES), true),
        (attributes(MAX_ATTRIBUTES + 1), false),
        (NewMessage::new("b").attribute("a", ""), false),
        (NewMessage::new("b").delay(MAX_DELAY), true),
        (NewMessage::new("b").delay(MAX_DELAY + SECOND), false),
        (NewMessage::new("b").fifo("g", "d"), false),
    ] {
        let kind = queue.send(&message).await.map_err(|error| error.kind()).err();
        assert_eq!(kind, (!allowed).then_some(MessagingErrorKind::Invalid), "{message:?}");
    }
    for request in [
        Receive::now(0),
        Receive::now(11),
        Receive::now(1).wait(MAX_WAIT + SECOND),
        Receive::now(1).visibility(MAX_VISIBILITY + SECOND),
    ] {
        let error = queue.receive(request).await.expect_err("beyond a limit");
        assert_eq!(error.kind(), MessagingErrorKind::Invalid);
    }
}
