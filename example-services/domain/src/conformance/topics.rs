//! The contract of [`Topic`].
//!
//! The topic has three subscriptions: `all` without a filter policy, `email` for messages whose
//! attribute `channel` is `email`, and `large` for bodies with a `total` over 100.

use super::time::Passing;
use crate::port::messaging::{
    MAX_ATTRIBUTES, MessagingErrorKind, NewMessage, Queue, Receive, Topic,
};
use std::time::Duration;

async fn drain(queue: &dyn Queue) -> Vec<String> {
    let messages = queue.receive(Receive::now(10)).await.expect("receive");
    for message in &messages {
        queue.delete(&message.receipt).await.expect("delete");
    }
    messages.into_iter().map(|message| message.body).collect()
}

/// Each subscription gets what its filter policy lets through, and the topic counts both.
pub async fn each_subscription_gets_what_its_filter_policy_lets_through(
    topic: &dyn Topic,
    [all, email, large]: [&dyn Queue; 3],
) {
    let channel = |body: &str, channel: &str| NewMessage::new(body).attribute("channel", channel);
    for message in [
        channel("{\"total\":50}", "email"),
        channel("{\"total\":500}", "sms"),
        NewMessage::new("no json"),
    ] {
        topic.publish(&message).await.expect("publish");
    }
    assert_eq!(drain(all).await, ["{\"total\":50}", "{\"total\":500}", "no json"]);
    assert_eq!(drain(email).await, ["{\"total\":50}"]);
    assert_eq!(drain(large).await, ["{\"total\":500}"]);
    let counts = topic.subscriptions().await.expect("subscriptions");
    let counts: Vec<_> = counts.iter().map(|one| (one.delivered, one.filtered_out)).collect();
    assert_eq!(counts, [(3, 0), (1, 2), (1, 2)]);
}

/// What is delivered is what was published, with its attributes, once per subscription.
pub async fn attributes_arrive_as_they_were_published(
    topic: &dyn Topic,
    [all, email, _]: [&dyn Queue; 3],
    time: &dyn Passing,
) {
    let mut message = NewMessage::new("{}").attribute("channel", "email");
    message = message.attribute("traceparent", "00-a-b-01").attribute("x-correlation-id", "c");
    message.system_attributes.insert("AWSTraceHeader".to_owned(), "Root=1-2-3".to_owned());
    topic.publish(&message).await.expect("publish");
    for queue in [all, email] {
        let received = queue.receive(Receive::now(10)).await.expect("receive").remove(0);
        assert_eq!(received.attributes, message.attributes);
        assert_eq!(received.system_attributes, message.system_attributes);
    }
    // Each has its own copy: one that is deleted leaves the other.
    time.pass(Duration::from_secs(30)).await;
    assert_eq!(drain(all).await.len(), 1);
    assert_eq!(email.depth().await.expect("depth").total(), 1);
}

/// What is beyond a limit is refused.
pub async fn what_is_beyond_a_limit_is_refused(topic: &dyn Topic) {
    let new = |message: NewMessage, n| message.attribute(format!("a{n}"), "v");
    let many = (0..=MAX_ATTRIBUTES).fold(NewMessage::new("b"), new);
    for message in [NewMessage::new(""), many, NewMessage::new("b").fifo("g", "d")] {
        let error = topic.publish(&message).await.expect_err("beyond a limit");
        assert_eq!(error.kind(), MessagingErrorKind::Invalid);
    }
}
