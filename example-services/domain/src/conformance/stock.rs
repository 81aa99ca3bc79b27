//! The contract of [`StockStore`].

use futures_util::future::join_all;

use super::{item, order_id, product};
use crate::cart::Item;
use crate::order::Attempt;
use crate::port::messaging::NewEvent;
use crate::port::{Outbox, Reserved, SetLevel, Sold, StockStore};
use crate::stock::{Level, Reservation};

fn reservation(order: &str, items: &[Item], expires_at_ms: u64) -> Reservation {
    Reservation { attempt: attempt(order), items: items.to_vec(), expires_at_ms }
}

fn attempt(order: &str) -> Attempt {
    Attempt::first(order_id(order))
}

async fn level(store: &dyn StockStore, id: &str) -> (u64, u64) {
    let level = store.level(&product(id)).await.expect("level").expect("a stocked product");
    (level.quantity, level.reserved)
}

/// A thousand who want the last ten get ten.
pub async fn a_thousand_who_want_ten_get_ten(store: &dyn StockStore) {
    store.set_level(&product("cup"), 10).await.expect("set");
    let wanted: Vec<_> =
        (0..1_000).map(|n| reservation(&format!("o{n}"), &[item("cup", 1)], 9)).collect();
    let kept = join_all(wanted.iter().map(|wanted| store.reserve(wanted))).await;
    let kept = kept.into_iter().map(|reserved| reserved.expect("reserve"));
    assert_eq!(kept.filter(|reserved| matches!(reserved, Reserved::Kept(_))).count(), 10);
    assert_eq!(level(store, "cup").await, (10, 10));
}

/// A reservation keeps all of its items or none.
pub async fn a_reservation_is_all_or_none(store: &dyn StockStore) {
    store.set_level(&product("cup"), 5).await.expect("set");
    store.set_level(&product("pot"), 1).await.expect("set");
    let too_much = reservation("o1", &[item("cup", 2), item("pot", 2)], 9);
    let pot = Level { product_id: product("pot"), quantity: 1, reserved: 0 };
    assert_eq!(store.reserve(&too_much).await.expect("reserve"), Reserved::TooLittle(pot));
    let unknown = reservation("o1", &[item("cup", 2), item("lid", 1)], 9);
    let reserved = store.reserve(&unknown).await.expect("reserve");
    assert_eq!(reserved, Reserved::Unknown(product("lid")));
    assert_eq!(level(store, "cup").await, (5, 0));
    assert_eq!(store.level(&product("lid")).await.expect("level"), None);
}

/// Reserving and releasing may be repeated.
pub async fn reserving_and_releasing_may_be_repeated(store: &dyn StockStore) {
    store.set_level(&product("cup"), 5).await.expect("set");
    let wanted = reservation("o1", &[item("cup", 2)], 9);
    for _ in 0..2 {
        let reserved = store.reserve(&wanted).await.expect("reserve");
        assert_eq!(reserved, Reserved::Kept(wanted.clone()));
        assert_eq!(level(store, "cup").await, (5, 2));
    }
    assert!(store.release(&wanted.attempt.order_id).await.expect("release"));
    assert!(!store.release(&wanted.attempt.order_id).await.expect("release again"));
    assert_eq!(level(store, "cup").await, (5, 0));
}

/// A later attempt at an order takes the place of an earlier one, which from then on can neither
/// reserve, nor give back, nor keep.
pub async fn an_earlier_attempt_cannot_touch_a_later_one(store: &dyn StockStore) {
    store.set_level(&product("cup"), 5).await.expect("set");
    let first = reservation("o1", &[item("cup", 4)], 9);
    let mut second = reservation("o1", &[item("cup", 3)], 19);
    second.attempt.number = 2;
    store.reserve(&first).await.expect("reserve");
    // There is enough for it once the earlier one is given back.
    let reserved = store.reserve(&second).await.expect("reserve");
    assert_eq!(reserved, Reserved::Kept(second.clone()));
    assert_eq!(level(store, "cup").await, (5, 3));

    assert_eq!(store.reserve(&first).await.expect("reserve"), Reserved::Superseded);
    assert!(!store.withdraw(&first.attempt).await.expect("withdraw"));
    assert!(!store.confirm(&first.attempt).await.expect("confirm"));
    assert_eq!(store.expired(19, 9).await.expect("expired"), [second.attempt.clone()]);
    assert_eq!(level(store, "cup").await, (5, 3));

    // What an earlier one reserved too late, a later one may give back.
    assert!(store.withdraw(&second.attempt).await.expect("withdraw"));
    store.reserve(&first).await.expect("reserve");
    assert!(store.withdraw(&second.attempt).await.expect("withdraw"));
    assert_eq!(level(store, "cup").await, (5, 0));
}

/// The shelf never holds less than is reserved.
pub async fn the_shelf_holds_what_is_reserved(store: &dyn StockStore) {
    store.set_level(&product("cup"), 5).await.expect("set");
    store.reserve(&reservation("o1", &[item("cup", 4)], 9)).await.expect("reserve");
    let refused = store.set_level(&product("cup"), 3).await.expect("set");
    assert!(matches!(refused, SetLevel::BelowReserved(level) if level.quantity == 5));
    assert!(matches!(store.set_level(&product("cup"), 4).await.expect("set"), SetLevel::Set(_)));
    assert!(!store.seed(&product("cup"), 100).await.expect("seed"));
    assert_eq!(level(store, "cup").await, (4, 4));
}

/// Reservations run out in the order of their times, unless they are confirmed.
pub async fn a_confirmed_reservation_does_not_run_out(store: &dyn StockStore) {
    store.set_level(&product("cup"), 5).await.expect("set");
    for (order, expires_at_ms) in [("late", 30), ("early", 10), ("kept", 10), ("future", 100)] {
        let wanted = reservation(order, &[item("cup", 1)], expires_at_ms);
        store.reserve(&wanted).await.expect("reserve");
    }
    assert!(store.confirm(&attempt("kept")).await.expect("confirm"));
    assert!(!store.confirm(&attempt("nobody")).await.expect("confirm"));
    assert_eq!(store.expired(9, 10).await.expect("expired"), []);
    let expired = store.expired(30, 10).await.expect("expired");
    assert_eq!(expired, [attempt("early"), attempt("late")]);
    assert_eq!(store.expired(30, 1).await.expect("expired"), [attempt("early")]);
}

/// What is sold leaves the shelf once, is told once for each product, and may come back.
pub async fn what_was_sold_leaves_the_shelf_once(store: &dyn StockStore, outbox: &dyn Outbox) {
    let event = NewEvent {
        source: "shopfast.inventory-service".to_owned(),
        detail_type: "inventory.updated".to_owned(),
        time_ms: 1,
        detail: serde_json::Map::new(),
        trace_header: None,
    };
    store.set_level(&product("cup"), 5).await.expect("set");
    let wanted = reservation("o1", &[item("cup", 2)], 9);
    let id = &wanted.attempt.order_id;
    assert_eq!(store.sell(id, &event).await.expect("sell"), Sold::Nothing);
    store.reserve(&wanted).await.expect("reserve");
    let sold = store.sell(id, &event).await.expect("sell");
    assert!(matches!(sold, Sold::Now(levels) if levels.len() == 1 && levels[0].quantity == 3));
    assert_eq!(store.sell(id, &event).await.expect("sell again"), Sold::Already);
    assert_eq!(level(store, "cup").await, (3, 0));
    let told = outbox.pending(10, std::time::Duration::ZERO).await.expect("pending");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0].event.detail["before"], &told[0].event.detail["after"]),
        (&5.into(), &3.into())
    );
    assert_eq!(store.expired(u64::MAX >> 1, 10).await.expect("expired"), []);

    assert!(store.release(id).await.expect("release"));
    assert_eq!(level(store, "cup").await, (5, 0));
    let more = store.restock(&product("cup"), 10).await.expect("restock");
    assert_eq!(more.map(|level| level.quantity), Some(15));
    assert_eq!(store.restock(&product("lid"), 1).await.expect("restock"), None);
}
