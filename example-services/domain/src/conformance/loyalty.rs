//! What every [`LoyaltyStore`] keeps.

use futures_util::future::join_all;

use super::{order_id, user};
use crate::loyalty::{Accrual, Tier};
use crate::port::LoyaltyStore;

fn accrual(order: usize, customer: &str, points: u64) -> Accrual {
    let order_id = order_id(&format!("ord-{order}"));
    Accrual { order_id, user_id: user(customer), points, at_ms: 1_000 + order as u64 }
}

/// An order brings its points once, however often it is told.
pub async fn an_order_brings_its_points_once(store: &dyn LoyaltyStore) {
    let told: Vec<_> = (0..40).map(|number| accrual(number % 10, "ada", 60)).collect();
    let new = join_all(told.iter().map(|accrual| store.accrue(accrual))).await;
    assert_eq!(new.into_iter().filter(|new| *new.as_ref().expect("accrue")).count(), 10);
    let balance = store.balance(&user("ada")).await.expect("balance");
    assert_eq!((balance.points, balance.tier), (600, Tier::Silver));
    let nobody = store.balance(&user("bob")).await.expect("balance");
    assert_eq!((nobody.points, nobody.tier), (0, Tier::Bronze));
}

/// Balances are the sums of the ledger, and summing up anew finds nothing wrong.
pub async fn the_ledger_and_the_balances_agree(store: &dyn LoyaltyStore) {
    assert_eq!(store.recalculate().await.expect("recalculate"), (0, 0));
    for number in 0..30 {
        let customer = ["ada", "bob", "eve"][number % 3];
        store.accrue(&accrual(number, customer, number as u64)).await.expect("accrue");
    }
    assert_eq!(store.recalculate().await.expect("recalculate"), (3, 0));
    for customer in ["ada", "bob", "eve"] {
        let entries = store.entries(&user(customer), 100).await.expect("entries");
        let sum: u64 = entries.iter().map(|entry| entry.points).sum();
        assert_eq!(store.balance(&user(customer)).await.expect("balance").points, sum);
    }
}

/// Entries come the latest first, as many as were asked for.
pub async fn entries_come_latest_first(store: &dyn LoyaltyStore) {
    for number in [2, 0, 1] {
        store.accrue(&accrual(number, "ada", 1)).await.expect("accrue");
    }
    store.accrue(&accrual(7, "bob", 1)).await.expect("accrue");
    let entries = store.entries(&user("ada"), 2).await.expect("entries");
    assert_eq!(entries, [accrual(2, "ada", 1), accrual(1, "ada", 1)]);
}
