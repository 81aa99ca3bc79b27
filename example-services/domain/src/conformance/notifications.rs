//! What every [`NotificationStore`] keeps.

use futures_util::future::join_all;

use super::{order_id, user};
use crate::notification::{Channel, Notification};
use crate::port::NotificationStore;

fn notification(order: &str, template: &str, at_ms: u64) -> Notification {
    Notification {
        order_id: order_id(order),
        user_id: user("ada"),
        template: template.to_owned(),
        channel: Channel::Email,
        to: "a***@example.com".to_owned(),
        subject: "Your order".to_owned(),
        body: "Thank you.".to_owned(),
        at_ms,
    }
}

/// A customer is told the same once, however often the event comes.
pub async fn nobody_is_told_twice(store: &dyn NotificationStore) {
    let told: Vec<_> = (0..40).map(|at_ms| notification("ord-1", "order.created", at_ms)).collect();
    let new = join_all(told.iter().map(|notification| store.add(notification))).await;
    assert_eq!(new.into_iter().filter(|new| *new.as_ref().expect("add")).count(), 1);
    assert!(store.add(&notification("ord-1", "order.shipped", 41)).await.expect("add"));
    assert!(store.add(&notification("ord-2", "order.created", 42)).await.expect("add"));
    assert_eq!(store.list(None, 100).await.expect("list").len(), 3);
}

/// Messages come the latest first, of one order if it is named, as many as were asked for.
pub async fn messages_come_latest_first(store: &dyn NotificationStore) {
    let all = [
        notification("ord-1", "order.created", 1),
        notification("ord-2", "order.created", 2),
        notification("ord-1", "order.shipped", 3),
    ];
    for one in &all {
        assert!(store.add(one).await.expect("add"));
    }
    let [first, second, third] = all;
    assert_eq!(store.list(None, 2).await.expect("list"), [third.clone(), second]);
    let order = order_id("ord-1");
    assert_eq!(store.list(Some(&order), 10).await.expect("list"), [third, first]);
}
