//! What every [`PaymentStore`] keeps.

use futures_util::future::join_all;

use super::{order_id, user};
use crate::money::Currency;
use crate::payment::{Method, Outcome, Transaction};
use crate::port::PaymentStore;

fn transaction(order: &str, number: usize, outcome: Outcome) -> Transaction {
    Transaction {
        transaction_id: format!("tx-{order}-{number}"),
        order_id: order_id(order),
        user_id: user("ada"),
        amount_minor: 2_580,
        currency: Currency::EUR,
        outcome,
        reason: (outcome != Outcome::Approved).then(|| "card_declined".to_owned()),
        fraud_score: 17,
        method: Some(visa("4242")),
        at_ms: 1_795_231_235_763,
    }
}

fn visa(last4: &str) -> Method {
    Method { brand: "visa".to_owned(), last4: last4.to_owned() }
}

/// Of many who charge the same order one is written down, and all are told which.
pub async fn an_order_is_charged_once(store: &dyn PaymentStore) {
    let tries: Vec<_> =
        (0..50).map(|number| transaction("ord-1", number, Outcome::Approved)).collect();
    let told = join_all(tries.iter().map(|transaction| store.append(transaction))).await;
    let told: Vec<Transaction> = told.into_iter().map(|one| one.expect("append")).collect();
    let first = told.first().expect("one of fifty");
    assert!(tries.contains(first) && told.iter().all(|other| other == first));
    let kept = store.by_order(&order_id("ord-1")).await.expect("by_order");
    assert_eq!(&kept[..], std::slice::from_ref(first));
}

/// A payment that was declined stays declined: another attempt is another order.
pub async fn every_outcome_ends_a_payment(store: &dyn PaymentStore) {
    for (order, outcome) in [("ord-1", Outcome::Declined), ("ord-2", Outcome::Suspected)] {
        let ended = transaction(order, 1, outcome);
        assert_eq!(store.append(&ended).await.expect("append"), ended);
        let again = transaction(order, 2, Outcome::Approved);
        assert_eq!(store.append(&again).await.expect("append"), ended);
    }
    assert_eq!(store.by_order(&order_id("ord-3")).await.expect("by_order"), []);
}

/// The method that was named first stays.
pub async fn the_first_method_of_an_order_stays(store: &dyn PaymentStore) {
    let order = order_id("ord-1");
    assert_eq!(store.method(&order).await.expect("method"), None);
    store.set_method(&order, &visa("4242")).await.expect("set");
    store.set_method(&order, &visa("0002")).await.expect("set again");
    assert_eq!(store.method(&order).await.expect("method"), Some(visa("4242")));
    assert_eq!(store.method(&order_id("ord-2")).await.expect("method"), None);
}
