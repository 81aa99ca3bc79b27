//! The contract of [`OrderStore`].

use futures_util::future::join;

use super::{item, order_id, user};
use crate::id::{IdempotencyKey, OrderId, TenantId};
use crate::money::Currency;
use crate::notification::Contact;
use crate::order::{Attempt, Line, Order, Status};
use crate::port::messaging::NewEvent;
use crate::port::{
    Advanced, Begun, CLAIM_TTL, Change, Claimed, Fingerprint, Key, OrderStore, Outbox, Placement,
    Taken, millis,
};

fn placement(id: &str, key: Option<Key>) -> Placement {
    let cup = item("cup", 2);
    let line = Line { product_id: cup.product_id, quantity: cup.quantity, unit_price_minor: 1_250 };
    let order = Order {
        order_id: order_id(id),
        tenant_id: TenantId::default(),
        user_id: user("ada"),
        status: Status::Reserving,
        lines: vec![line],
        total_minor: 2_500,
        currency: Currency::EUR,
        created_at_ms: AT_MS,
        reason: None,
        tracking_id: None,
    };
    let contact = Contact { email: Some("ada@example.com".to_owned()), phone: None };
    Placement { order, attempt: 1, key, contact }
}

const AT_MS: u64 = 1_767_225_600_000;

fn event(detail_type: &str) -> NewEvent {
    NewEvent {
        source: "shopfast.order-service".to_owned(),
        detail_type: detail_type.to_owned(),
        time_ms: AT_MS,
        detail: serde_json::Map::new(),
        trace_header: None,
    }
}

fn change(id: &OrderId, from: Status, to: Status) -> Change {
    Change {
        order_id: id.clone(),
        from,
        to,
        reason: None,
        tracking_id: None,
        at_ms: AT_MS + 1,
        event: event("order.updated"),
    }
}

fn key(body: &[u8]) -> Key {
    Key {
        tenant_id: TenantId::default(),
        user_id: user("ada"),
        key: IdempotencyKey::parse("k1").expect("a key"),
        fingerprint: Fingerprint::of(body),
    }
}

/// The first attempt at an order.
fn first(id: &OrderId) -> Attempt {
    Attempt::first(id.clone())
}

/// An order is seen once it is accepted, and then as it was begun.
pub async fn an_order_is_seen_once_it_is_accepted(store: &dyn OrderStore) {
    let (placement, created) = (placement("o1", None), event("order.created"));
    let id = &placement.order.order_id;
    assert_eq!(store.begin(&placement).await.expect("begin"), Begun::New);
    assert_eq!(store.get(id).await.expect("get"), None);
    assert_eq!(store.list(&user("ada"), None, 9).await.expect("list"), []);
    assert_eq!(store.unfinished(9).await.expect("unfinished"), [first(id)]);

    let accepted = Order { status: Status::Pending, ..placement.order.clone() };
    assert_eq!(store.accept(&first(id), &created).await.expect("accept"), Some(accepted.clone()));
    assert_eq!(store.get(id).await.expect("get"), Some(accepted.clone()));
    assert_eq!(store.list(&user("ada"), None, 9).await.expect("list"), [accepted]);
    assert_eq!(store.unfinished(9).await.expect("unfinished"), []);
}

/// Of accepting and abandoning, exactly one happens.
pub async fn an_order_is_accepted_or_abandoned_never_both(store: &dyn OrderStore) {
    for number in 0..50 {
        let (placement, created) = (placement(&format!("o{number}"), None), event("order.created"));
        let id = &placement.order.order_id;
        store.begin(&placement).await.expect("begin");
        let (accepted, gone) = if number % 2 == 0 {
            join(store.accept(&first(id), &created), store.abandon(&first(id))).await
        } else {
            let (gone, accepted) =
                join(store.abandon(&first(id)), store.accept(&first(id), &created)).await;
            (accepted, gone)
        };
        let (accepted, gone) = (accepted.expect("accept").is_some(), gone.expect("abandon"));
        assert_ne!(accepted, gone, "order {number}");
        assert_eq!(store.get(id).await.expect("get").is_some(), accepted);
        assert_eq!(store.accept(&first(id), &created).await.expect("accept again"), None);
        assert_eq!(store.abandon(&first(id)).await.expect("abandon again"), gone);
    }
}

/// A key stands for one request until its order is abandoned.
pub async fn a_key_stands_for_one_request(store: &dyn OrderStore) {
    let begun = placement("o1", Some(key(b"a")));
    assert_eq!(store.begin(&begun).await.expect("begin"), Begun::New);
    let again = placement("o2", Some(key(b"a")));
    let in_progress = Begun::Taken(Taken::InProgress);
    assert_eq!(store.begin(&again).await.expect("begin"), in_progress);
    let other = placement("o3", Some(key(b"b")));
    assert_eq!(store.begin(&other).await.expect("begin"), Begun::Taken(Taken::Reused));

    assert!(store.abandon(&first(&begun.order.order_id)).await.expect("abandon"));
    assert_eq!(store.begin(&again).await.expect("begin"), Begun::New);
    let accepted = store.accept(&first(&again.order.order_id), &event("order.created")).await;
    let order = accepted.expect("accept").expect("the order");
    let repeated = Taken::Repeated(order);
    assert_eq!(store.begin(&begun).await.expect("begin"), Begun::Taken(repeated.clone()));
    let claim =
        |key| async move { store.claim(&key, &order_id("o4"), AT_MS).await.expect("claim") };
    assert_eq!(claim(key(b"a")).await, Claimed::Taken(repeated));
    assert_eq!(claim(key(b"b")).await, Claimed::Taken(Taken::Reused));
    let stranger = Key { user_id: user("bob"), ..key(b"a") };
    assert_eq!(claim(stranger).await, Claimed::Attempt(first(&order_id("o4"))));
}

/// Every attempt with one key and one request is about the same order, and an earlier one cannot
/// touch a later one.
pub async fn attempts_with_one_key_are_about_one_order(store: &dyn OrderStore) {
    let claim = |body: &'static [u8], new: &'static str, now_ms| async move {
        let claimed = store.claim(&key(body), &order_id(new), now_ms).await.expect("claim");
        let Claimed::Attempt(attempt) = claimed else { panic!("{claimed:?}") };
        attempt
    };
    let one = claim(b"a", "o1", AT_MS).await;
    assert_eq!(one, first(&order_id("o1")));
    let two = claim(b"a", "o2", AT_MS + 1).await;
    assert_eq!(two, Attempt { order_id: order_id("o1"), number: 2 });

    let second = Placement { attempt: 2, ..placement("o1", Some(key(b"a"))) };
    assert_eq!(store.begin(&second).await.expect("begin"), Begun::New);
    assert_eq!(store.unfinished(9).await.expect("unfinished"), std::slice::from_ref(&two));
    let created = event("order.created");
    assert_eq!(store.accept(&one, &created).await.expect("accept"), None);
    assert!(store.abandon(&one).await.expect("abandon"), "it came to nothing");
    assert!(store.abandon(&two).await.expect("abandon"));

    // A claim outlives what was begun, but not for ever, and is that of one request.
    let three = claim(b"a", "o3", AT_MS + 2).await;
    assert_eq!((three.order_id, three.number), (order_id("o1"), 3));
    assert_eq!(claim(b"b", "o4", AT_MS + 3).await, first(&order_id("o4")));
    assert_eq!(claim(b"b", "o5", AT_MS + 4).await.number, 2);
    let later_ms = AT_MS + 5 + millis(CLAIM_TTL);
    assert_eq!(claim(b"b", "o6", later_ms).await, first(&order_id("o6")));
    store.begin(&placement("o6", Some(key(b"b")))).await.expect("begin");
    assert!(store.accept(&first(&order_id("o6")), &created).await.expect("accept").is_some());
    let late = Attempt { order_id: order_id("o6"), number: 2 };
    assert!(store.abandon(&late).await.expect("abandon"), "another attempt was accepted");
    assert!(!store.abandon(&first(&order_id("o6"))).await.expect("abandon"));
}

/// Orders of a user come in pages, the latest first.
pub async fn orders_come_latest_first(store: &dyn OrderStore) {
    for id in ["o1", "o3", "o2"] {
        let placement = placement(id, None);
        store.begin(&placement).await.expect("begin");
        store
            .accept(&first(&placement.order.order_id), &event("order.created"))
            .await
            .expect("accept");
    }
    let ids = |orders: Vec<Order>| orders.into_iter().map(|order| order.order_id);
    let page = store.list(&user("ada"), None, 2).await.expect("list");
    assert!(ids(page).eq([order_id("o3"), order_id("o2")]));
    let page = store.list(&user("ada"), Some(&order_id("o2")), 2).await.expect("list");
    assert!(ids(page).eq([order_id("o1")]));
    assert_eq!(store.list(&user("bob"), None, 2).await.expect("list"), []);
}

/// An order goes its way step by step, and each step is told once.
pub async fn an_order_goes_its_way_and_each_step_is_told_once(
    store: &dyn OrderStore,
    outbox: &dyn Outbox,
) {
    let placement = placement("o1", None);
    let id = &placement.order.order_id;
    let missing =
        store.advance(&change(id, Status::Pending, Status::Cancelled)).await.expect("advance");
    assert_eq!(missing, Advanced::Missing);
    store.begin(&placement).await.expect("begin");
    store.accept(&first(id), &event("order.created")).await.expect("accept");
    let skipped =
        store.advance(&change(id, Status::Pending, Status::Shipped)).await.expect("advance");
    assert!(matches!(skipped, Advanced::Illegal(order) if order.status == Status::Pending));
    let pay = change(id, Status::Pending, Status::PaymentPending);
    assert!(matches!(store.advance(&pay).await.expect("advance"), Advanced::Done(_)));
    assert!(matches!(store.advance(&pay).await.expect("again"), Advanced::Already(_)));
    let failed = Change {
        reason: Some("declined".to_owned()),
        ..change(id, Status::PaymentPending, Status::PaymentFailed)
    };
    store.advance(&failed).await.expect("advance");

    let steps: Vec<_> =
        store.history(id).await.expect("history").into_iter().map(|step| step.to).collect();
    assert_eq!(steps, [Status::Pending, Status::PaymentPending, Status::PaymentFailed]);
    let order = store.get(id).await.expect("get").expect("the order");
    assert_eq!(order.reason.as_deref(), Some("declined"));
    assert_eq!(store.contact(id).await.expect("contact"), placement.contact);
    let nowhere = store.contact(&order_id("nobody")).await.expect("contact");
    assert_eq!(nowhere, Contact::default());
    assert_eq!(store.counts().await.expect("counts"), [(Status::PaymentFailed, 1)]);

    let pending = outbox.pending(10, std::time::Duration::ZERO).await.expect("pending");
    let told: Vec<_> = pending.iter().map(|one| one.event.detail_type.as_str()).collect();
    assert_eq!(told, ["order.created", "order.updated", "order.updated"]);
    outbox.published(&[pending[0].id, pending[1].id]).await.expect("published");
    assert_eq!(outbox.backlog().await.expect("backlog").events, 1);
}
