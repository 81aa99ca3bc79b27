//! The contract of [`OrderStore`].

use futures_util::future::join;

use super::{item, order_id, user};
use crate::id::{IdempotencyKey, OrderId, TenantId};
use crate::money::Currency;
use crate::order::{Line, Order, Status};
use crate::port::messaging::NewEvent;
use crate::port::{Advanced, Begun, Change, Fingerprint, Key, OrderStore, Outbox, Placement};

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
    Placement { order, key, contact: Some("ada@example.com".to_owned()) }
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

/// An order is seen once it is accepted, and then as it was begun.
pub async fn an_order_is_seen_once_it_is_accepted(store: &dyn OrderStore) {
    let (placement, created) = (placement("o1", None), event("order.created"));
    let id = &placement.order.order_id;
    assert_eq!(store.begin(&placement).await.expect("begin"), Begun::New);
    assert_eq!(store.get(id).await.expect("get"), None);
    assert_eq!(store.list(&user("ada"), None, 9).await.expect("list"), []);
    assert_eq!(store.unfinished(9).await.expect("unfinished"), std::slice::from_ref(id));

    let accepted = Order { status: Status::Pending, ..placement.order.clone() };
    assert_eq!(store.accept(id, &created).await.expect("accept"), Some(accepted.clone()));
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
            join(store.accept(id, &created), store.abandon(id)).await
        } else {
            let (gone, accepted) = join(store.abandon(id), store.accept(id, &created)).await;
            (accepted, gone)
        };
        let (accepted, gone) = (accepted.expect("accept").is_some(), gone.expect("abandon"));
        assert_ne!(accepted, gone, "order {number}");
        assert_eq!(store.get(id).await.expect("get").is_some(), accepted);
        assert_eq!(store.accept(id, &created).await.expect("accept again"), None);
        assert_eq!(store.abandon(id).await.expect("abandon again"), gone);
    }
}

/// A key stands for one request until its order is abandoned.
pub async fn a_key_stands_for_one_request(store: &dyn OrderStore) {
    let first = placement("o1", Some(key(b"a")));
    assert_eq!(store.find(&key(b"a")).await.expect("find"), None);
    assert_eq!(store.begin(&first).await.expect("begin"), Begun::New);

    let again = placement("o2", Some(key(b"a")));
    assert_eq!(store.begin(&again).await.expect("begin"), Begun::InProgress);
    let other = placement("o3", Some(key(b"b")));
    assert_eq!(store.begin(&other).await.expect("begin"), Begun::KeyReused);

    assert!(store.abandon(&first.order.order_id).await.expect("abandon"));
    assert_eq!(store.begin(&again).await.expect("begin"), Begun::New);
    let order = store
        .accept(&again.order.order_id, &event("order.created"))
        .await
        .expect("accept")
        .expect("the order");
    assert_eq!(store.begin(&first).await.expect("begin"), Begun::Repeated(order.clone()));
    assert_eq!(store.find(&key(b"a")).await.expect("find"), Some(Begun::Repeated(order)));
    assert_eq!(store.find(&key(b"b")).await.expect("find"), Some(Begun::KeyReused));
    let stranger = Key { user_id: user("bob"), ..key(b"a") };
    assert_eq!(store.find(&stranger).await.expect("find"), None);
}

/// Orders of a user come in pages, the latest first.
pub async fn orders_come_latest_first(store: &dyn OrderStore) {
    for id in ["o1", "o3", "o2"] {
        let placement = placement(id, None);
        store.begin(&placement).await.expect("begin");
        store.accept(&placement.order.order_id, &event("order.created")).await.expect("accept");
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
    store.accept(id, &event("order.created")).await.expect("accept");
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
    assert_eq!(store.contact(id).await.expect("contact").as_deref(), Some("ada@example.com"));
    assert_eq!(store.counts().await.expect("counts"), [(Status::PaymentFailed, 1)]);

    let pending = outbox.pending(10, std::time::Duration::ZERO).await.expect("pending");
    let told: Vec<_> = pending.iter().map(|one| one.event.detail_type.as_str()).collect();
    assert_eq!(told, ["order.created", "order.updated", "order.updated"]);
    outbox.published(&[pending[0].id, pending[1].id]).await.expect("published");
    assert_eq!(outbox.backlog().await.expect("backlog").events, 1);
}
