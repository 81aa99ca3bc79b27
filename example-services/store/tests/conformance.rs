//! The SQLite stores keep the contracts of their ports.

use obs_core::clock::Clock;
use std::sync::Arc;

use shop_domain::conformance;
use shop_domain::conformance::time::ManualTime;
use shop_store::{
    MemoryCache, SqliteAnalytics, SqliteCarts, SqliteLoyalty, SqliteMenu, SqliteNotifications,
    SqliteOrders, SqlitePayments, SqliteProducts, SqliteShipments, SqliteStock,
};

macro_rules! conforms {
    ($store:ident, $suite:ident: $($clause:ident)*) => {
        mod $suite {
            use super::*;
            $(
                #[tokio::test]
                async fn $clause() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = $store::open(&folder.path().join("test.db")).unwrap();
                    conformance::$suite::$clause(&store).await;
                }
            )*
        }
    };
}

conforms!(SqliteProducts, products: a_product_is_added_once pages_follow_each_other);
conforms!(SqliteCarts, carts:
    adding_is_atomic a_full_cart_stays_as_it_is clearing_empties_one_cart);
conforms!(SqliteMenu, menu:
    an_item_is_added_once one_of_many_writers_of_a_version_succeeds
    an_item_is_removed_in_its_version pages_follow_each_other);
conforms!(SqliteStock, stock:
    a_thousand_who_want_ten_get_ten a_reservation_is_all_or_none
    reserving_and_releasing_may_be_repeated an_earlier_attempt_cannot_touch_a_later_one the_shelf_holds_what_is_reserved
    a_confirmed_reservation_does_not_run_out);
conforms!(SqliteOrders, orders:
    an_order_is_seen_once_it_is_accepted an_order_is_accepted_or_abandoned_never_both
    a_key_stands_for_one_request attempts_with_one_key_are_about_one_order orders_come_latest_first);
conforms!(SqlitePayments, payments:
    an_order_is_charged_once every_outcome_ends_a_payment the_first_method_of_an_order_stays);
conforms!(SqliteLoyalty, loyalty:
    an_order_brings_its_points_once the_ledger_and_the_balances_agree entries_come_latest_first);
conforms!(SqliteShipments, shipments: an_order_is_one_parcel);
conforms!(SqliteNotifications, notifications: nobody_is_told_twice messages_come_latest_first);
conforms!(SqliteAnalytics, analytics:
    a_fact_counts_once reports_follow_from_the_facts heavy_work_is_always_the_same);

#[tokio::test]
async fn an_order_goes_its_way_and_each_step_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteOrders::open(&folder.path().join("test.db")).unwrap();
    let outbox = store.outbox(Arc::new(ManualTime::default()));
    conformance::orders::an_order_goes_its_way_and_each_step_is_told_once(&store, &outbox).await;
}

#[tokio::test]
async fn what_was_sold_leaves_the_shelf_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStock::open(&folder.path().join("test.db")).unwrap();
    let outbox = store.outbox(Arc::new(ManualTime::default()));
    conformance::stock::what_was_sold_leaves_the_shelf_once(&store, &outbox).await;
}

#[tokio::test]
async fn the_cache_in_memory_keeps_its_contract() {
    let cache = MemoryCache::new(100, Clock::system());
    conformance::cache::what_was_set_last_is_found(&cache).await;
    conformance::cache::a_time_of_nothing_keeps_nothing(&cache).await;
}

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stock.db");
    let cup = shop_domain::id::ProductId::parse("cup").unwrap();
    use shop_domain::port::StockStore;
    SqliteStock::open(&path).unwrap().set_level(&cup, 7).await.unwrap();
    // A second open also shows that migrations run once.
    let level = SqliteStock::open(&path).unwrap().level(&cup).await.unwrap().unwrap();
    assert_eq!(level.quantity, 7);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    std::fs::write(&path, "this is text, and long enough to be taken for a header").unwrap();
    let error = SqliteOrders::open(&path).unwrap_err();
    assert_eq!(error.kind(), shop_domain::port::StoreErrorKind::Corrupt);
}
