//! What every [`ShipmentStore`] keeps.

use futures_util::future::join_all;

use super::{order_id, user};
use crate::port::ShipmentStore;
use crate::shipment::Shipment;

/// Of many who hand over the same order one parcel is written down, and all are told which.
pub async fn an_order_is_one_parcel(store: &dyn ShipmentStore) {
    let shipment = |number: usize| Shipment {
        order_id: order_id("ord-1"),
        user_id: user("ada"),
        carrier: "CA".to_owned(),
        tracking_id: format!("CA-{number}"),
        at_ms: 7,
    };
    let tries: Vec<_> = (0..50).map(shipment).collect();
    let told = join_all(tries.iter().map(|shipment| store.add(shipment))).await;
    let told: Vec<Shipment> = told.into_iter().map(|one| one.expect("add")).collect();
    let first = told.first().expect("one of fifty");
    assert!(tries.contains(first) && told.iter().all(|other| other == first));
    assert_eq!(store.get(&order_id("ord-1")).await.expect("get").as_ref(), Some(first));
    assert_eq!(store.get(&order_id("ord-2")).await.expect("get"), None);
}
