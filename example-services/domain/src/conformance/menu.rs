//! The contract of [`MenuStore`].

use futures_util::future::join_all;

use super::product;
use crate::menu::Dish;
use crate::money::Currency;
use crate::port::{MenuStore, Written};

fn dish(price_minor: u64) -> Dish {
    Dish {
        name: "Latte".to_owned(),
        category: "coffee".to_owned(),
        price_minor,
        currency: Currency::EUR,
        available: true,
    }
}

/// An item that exists is not added again.
pub async fn an_item_is_added_once(store: &dyn MenuStore) {
    let latte = product("latte");
    assert!(store.add(&latte, &dish(350)).await.expect("add"));
    assert!(!store.add(&latte, &dish(360)).await.expect("add again"));
    let item = store.get(&latte).await.expect("get").expect("is there");
    assert_eq!((item.version, item.dish), (1, dish(350)));
}

/// Of those who change the same version, one does.
pub async fn one_of_many_writers_of_a_version_succeeds(store: &dyn MenuStore) {
    let latte = product("latte");
    store.add(&latte, &dish(350)).await.expect("add");
    let dishes: Vec<_> = (0..10).map(|n| dish(400 + n)).collect();
    let written = join_all(dishes.iter().map(|dish| store.replace(&latte, 1, dish))).await;
    let done =
        written.iter().filter(|one| matches!(one, Ok(Written::Done(item)) if item.version == 2));
    assert_eq!(done.count(), 1);
    let changed = written.iter().filter(|one| matches!(one, Ok(Written::Changed(_)))).count();
    assert_eq!(changed, 9);
}

/// An item is removed in the version that was read, and only then.
pub async fn an_item_is_removed_in_its_version(store: &dyn MenuStore) {
    let latte = product("latte");
    assert_eq!(store.remove(&latte, 1).await.expect("remove"), Written::Missing);
    store.add(&latte, &dish(350)).await.expect("add");
    assert!(matches!(store.remove(&latte, 7).await.expect("remove"), Written::Changed(_)));
    assert!(matches!(store.remove(&latte, 1).await.expect("remove"), Written::Done(_)));
    assert_eq!(store.get(&latte).await.expect("get"), None);
    assert_eq!(store.replace(&latte, 1, &dish(1)).await.expect("replace"), Written::Missing);
}

/// Pages follow each other by id.
pub async fn pages_follow_each_other(store: &dyn MenuStore) {
    for id in ["c", "a", "b"] {
        store.add(&product(id), &dish(100)).await.expect("add");
    }
    let ids = |items: Vec<crate::menu::MenuItem>| -> Vec<String> {
        items.into_iter().map(|item| item.item_id.to_string()).collect()
    };
    assert_eq!(ids(store.list(None, 2).await.expect("list")), ["a", "b"]);
    assert_eq!(ids(store.list(Some(&product("b")), 2).await.expect("list")), ["c"]);
}
