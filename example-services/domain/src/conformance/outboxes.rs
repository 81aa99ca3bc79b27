//! The contract of [`Outbox`]; `write` changes something in the store and announces it with the
//! event it is given.

use std::time::Duration;

use futures_util::future::join;
use serde_json::Map;

use super::time::Passing;
use crate::port::messaging::NewEvent;
use crate::port::{Outbox, Pending, StoreFuture};

const SECOND: Duration = Duration::from_secs(1);

fn event(subject: &str, time_ms: u64) -> NewEvent {
    NewEvent {
        source: "shopfast.order-service".to_owned(),
        detail_type: "order.created".to_owned(),
        time_ms,
        detail: Map::from_iter([("subject".to_owned(), subject.into())]),
        trace_header: None,
    }
}

fn subjects(pending: &[Pending]) -> Vec<&str> {
    pending.iter().filter_map(|pending| pending.event.detail["subject"].as_str()).collect()
}

/// Events stay, oldest first, until they are known to be on the bus.
pub async fn an_event_stays_until_it_is_published(
    outbox: &dyn Outbox,
    write: impl Fn(NewEvent) -> StoreFuture<'static, ()>,
) {
    for (subject, time_ms) in [("a", 5), ("b", 6), ("c", 7)] {
        write(event(subject, time_ms)).await.expect("write");
    }
    let backlog = outbox.backlog().await.expect("backlog");
    assert_eq!((backlog.events, backlog.oldest_ms), (3, Some(5)));
    let two = outbox.pending(2, SECOND).await.expect("pending");
    assert_eq!(subjects(&two), ["a", "b"]);
    assert_eq!(two[0].event, event("a", 5));
    // The relay died: the same again.
    assert_eq!(outbox.pending(2, SECOND).await.expect("pending"), two);
    let ids: Vec<_> = two.iter().map(|pending| pending.id).collect();
    for _ in 0..2 {
        outbox.published(&ids).await.expect("published");
        assert_eq!(subjects(&outbox.pending(2, SECOND).await.expect("pending")), ["c"]);
    }
}

/// A relay that waits is woken by an event, and goes without one when its time is up.
pub async fn a_relay_that_waits_is_woken_by_an_event(
    outbox: &dyn Outbox,
    write: impl Fn(NewEvent) -> StoreFuture<'static, ()>,
    time: &dyn Passing,
) {
    let (pending, ()) = join(outbox.pending(1, SECOND), time.pass(SECOND)).await;
    assert_eq!(pending.expect("pending"), []);
    let (pending, written) = join(outbox.pending(1, SECOND), write(event("a", 1))).await;
    written.expect("write");
    assert_eq!(subjects(&pending.expect("pending")), ["a"]);
}
