//! The contract of [`ProductStore`].

use super::product;
use crate::money::Currency;
use crate::port::ProductStore;
use crate::product::Product;

fn sample(id: &str) -> Product {
    Product {
        product_id: product(id),
        name: format!("Product \"{id}\""),
        price_minor: 1_999,
        currency: Currency::EUR,
    }
}

/// A product that was added is found as it was, and adding it again changes nothing.
pub async fn a_product_is_added_once(store: &dyn ProductStore) {
    let first = sample("prod-001");
    assert_eq!(store.get(&first.product_id).await.expect("get"), None);
    assert!(store.add(&first).await.expect("add"));
    assert!(!store.add(&Product { price_minor: 1, ..first.clone() }).await.expect("add again"));
    assert_eq!(store.get(&first.product_id).await.expect("get"), Some(first));
}

/// Pages follow each other without gaps or repetitions.
pub async fn pages_follow_each_other(store: &dyn ProductStore) {
    let products: Vec<_> = ["a", "b", "c"].into_iter().map(sample).collect();
    for product in products.iter().rev() {
        store.add(product).await.expect("add");
    }
    let first = store.list(None, 2).await.expect("first page");
    assert_eq!(first, products[..2]);
    let second = store.list(Some(&first[1].product_id), 2).await.expect("second page");
    assert_eq!(second, products[2..]);
}
