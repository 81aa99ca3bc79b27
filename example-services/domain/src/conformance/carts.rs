//! The contract of [`CartStore`].

use futures_util::future::join_all;

use super::{item, user};
use crate::cart::MAX_ITEMS;
use crate::port::CartStore;
use crate::quantity::Quantity;

/// Adding counts up, whoever else adds at the same time.
pub async fn adding_is_atomic(store: &dyn CartStore) {
    let (ada, cup) = (user("ada"), item("cup", 1));
    for added in join_all((0..100).map(|_| store.add(&ada, &cup))).await {
        assert!(added.expect("add").is_some());
    }
    assert_eq!(store.get(&ada).await.expect("get").items, [item("cup", 100)]);
}

/// What would break a bound changes nothing.
pub async fn a_full_cart_stays_as_it_is(store: &dyn CartStore) {
    let ada = user("ada");
    let most = item("cup", i64::from(Quantity::MAX));
    assert!(store.add(&ada, &most).await.expect("add").is_some());
    assert_eq!(store.add(&ada, &item("cup", 1)).await.expect("add"), None);
    for number in 1..MAX_ITEMS {
        let other = item(&format!("p{number}"), 1);
        assert!(store.add(&ada, &other).await.expect("add").is_some());
    }
    assert_eq!(store.add(&ada, &item("one-more", 1)).await.expect("add"), None);
    let cart = store.get(&ada).await.expect("get");
    assert_eq!(cart.items.len(), MAX_ITEMS);
    assert!(cart.items.contains(&most));
}

/// Clearing empties one cart and leaves the others alone.
pub async fn clearing_empties_one_cart(store: &dyn CartStore) {
    let (ada, bob) = (user("ada"), user("bob"));
    store.add(&ada, &item("cup", 2)).await.expect("add");
    store.add(&bob, &item("cup", 3)).await.expect("add");
    store.clear(&ada).await.expect("clear");
    store.clear(&ada).await.expect("clear again");
    assert_eq!(store.get(&ada).await.expect("get").items, []);
    assert_eq!(store.get(&bob).await.expect("get").items, [item("cup", 3)]);
}
