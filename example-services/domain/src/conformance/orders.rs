//! The contract of [`OrderStore`].

use futures_util::future::join;

use super::{item, order_id, user};
use crate::id::{IdempotencyKey, TenantId};
use crate::money::Currency;
use crate::order::{Line, Order, Status};
use crate::port::{Begun, Fingerprint, Key, OrderStore, Placement};

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
        created_at_ms: 1_767_225_600_000,
    };
    Placement { order, key }
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
    let placement = placement("o1", None);
    let id = &placement.order.order_id;
    assert_eq!(store.begin(&placement).await.expect("begin"), Begun::New);
    assert_eq!(store.get(id).await.expect("get"), None);
    assert_eq!(store.list(&user("ada"), None, 9).await.expect("list"), []);
    assert_eq!(store.unfinished(9).await.expect("unfinished"), std::slice::from_ref(id));

    let accepted = Order { status: Status::Pending, ..placement.order.clone() };
    assert_eq!(store.accept(id).await.expect("accept"), Some(accepted.clone()));
    assert_eq!(store.get(id).await.expect("get"), Some(accepted.clone()));
    assert_eq!(store.list(&user("ada"), None, 9).await.expect("list"), [accepted]);
    assert_eq!(store.unfinished(9).await.expect("unfinished"), []);
}

/// Of accepting and abandoning, exactly one happens.
pub async fn an_order_is_accepted_or_abandoned_never_both(store: &dyn OrderStore) {
    for number in 0..50 {
        let placement = placement(&format!("o{number}"), None);
        let id = &placement.order.order_id;
        store.begin(&placement).await.expect("begin");
        let (accepted, gone) = if number % 2 == 0 {
            join(store.accept(id), store.abandon(id)).await
        } else {
            let (gone, accepted) = join(store.abandon(id), store.accept(id)).await;
            (accepted, gone)
        };
        let (accepted, gone) = (accepted.expect("accept").is_some(), gone.expect("abandon"));
        assert_ne!(accepted, gone, "order {number}");
        assert_eq!(store.get(id).await.expect("get").is_some(), accepted);
        assert_eq!(store.accept(id).await.expect("accept again"), None);
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
    let order = store.accept(&again.order.order_id).await.expect("accept").expect("the order");
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
        store.accept(&placement.order.order_id).await.expect("accept");
    }
    let ids = |orders: Vec<Order>| orders.into_iter().map(|order| order.order_id);
    let page = store.list(&user("ada"), None, 2).await.expect("list");
    assert!(ids(page).eq([order_id("o3"), order_id("o2")]));
    let page = store.list(&user("ada"), Some(&order_id("o2")), 2).await.expect("list");
    assert!(ids(page).eq([order_id("o1")]));
    assert_eq!(store.list(&user("bob"), None, 2).await.expect("list"), []);
}
