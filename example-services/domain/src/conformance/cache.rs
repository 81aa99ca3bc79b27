//! The contract of [`Cache`], as far as it can be told without waiting.

use std::time::Duration;

use bytes::Bytes;

use crate::port::Cache;

const LONG: Duration = Duration::from_secs(300);

/// What was set last is found, until it is removed.
pub async fn what_was_set_last_is_found(cache: &dyn Cache) {
    assert_eq!(cache.get("conformance:k").await.expect("get"), None);
    for value in ["one", "two"] {
        cache.set("conformance:k", Bytes::from_static(value.as_bytes()), LONG).await.expect("set");
    }
    assert_eq!(cache.get("conformance:k").await.expect("get").expect("a hit"), "two");
    cache.remove("conformance:k").await.expect("remove");
    cache.remove("conformance:k").await.expect("remove again");
    assert_eq!(cache.get("conformance:k").await.expect("get"), None);
}

/// What may not be kept at all is not found.
pub async fn a_time_of_nothing_keeps_nothing(cache: &dyn Cache) {
    cache.set("conformance:n", Bytes::from_static(b"old"), LONG).await.expect("set");
    cache.set("conformance:n", Bytes::from_static(b"new"), Duration::ZERO).await.expect("set");
    assert_eq!(cache.get("conformance:n").await.expect("get"), None);
}
