//! What every [`AnalyticsStore`] keeps.

use serde_json::{Value, json};

use crate::analytics::{Fact, Report};
use crate::port::AnalyticsStore;

fn fact(number: u64, kind: &str, subject: &str, detail: Value) -> Fact {
    // A day apart, from 2026-11-21 on.
    let at_ms = 1_795_219_200_000 + number * 86_400_000;
    let (kind, subject) = (kind.to_owned(), subject.to_owned());
    Fact { event_id: format!("event-{number}"), kind, subject, at_ms, detail }
}

fn order(number: u64, department: &str, lines: &[(&str, u64, u64)]) -> Fact {
    let total: u64 = lines.iter().map(|(_, pieces, price)| pieces * price).sum();
    let lines: Vec<_> = lines
        .iter()
        .map(|(id, pieces, price)| {
            json!({"product_id": id, "quantity": pieces, "unit_price_minor": price})
        })
        .collect();
    let detail = json!({"lines": lines, "total_minor": total, "department": department});
    fact(number, "order.created", &format!("ord-{number}"), detail)
}

/// A fact that comes again counts once.
pub async fn a_fact_counts_once(store: &dyn AnalyticsStore) {
    let facts = [order(1, "goods", &[("cup", 2, 1_290)]), order(2, "cafe", &[("latte", 1, 390)])];
    assert_eq!(store.ingest(&facts).await.expect("ingest"), 2);
    assert_eq!(store.ingest(&facts).await.expect("again"), 0);
    assert_eq!(store.ingest(&[]).await.expect("none"), 0);
    let rows = store.report(Report::Departments).await.expect("report");
    let expected = [
        json!({"department": "cafe", "orders": 1, "value_minor": 390}),
        json!({"department": "goods", "orders": 1, "value_minor": 2_580}),
    ];
    assert_eq!(rows, expected);
}

/// Each report has the rows that follow from the facts.
pub async fn reports_follow_from_the_facts(store: &dyn AnalyticsStore) {
    for report in Report::ALL {
        assert_eq!(store.report(report).await.expect("report"), [] as [Value; 0], "{report:?}");
    }
    let updated = |number, order: &str, status| {
        fact(number, "order.updated", order, json!({"new_status": status}))
    };
    let facts = [
        order(1, "goods", &[("cup", 2, 1_000), ("jug", 1, 500)]),
        order(2, "goods", &[("cup", 1, 1_000)]),
        updated(3, "ord-1", "PAID"),
        updated(4, "ord-2", "PAYMENT_FAILED"),
        fact(5, "order.shipped", "ord-1", json!({})),
        fact(6, "inventory.updated", "cup", json!({"before": 10, "after": 8})),
    ];
    assert_eq!(store.ingest(&facts).await.expect("ingest"), 6);
    let report = async |report| store.report(report).await.expect("report");
    assert_eq!(
        report(Report::SalesByDay).await,
        [
            json!({"day": "2026-11-23", "orders": 1, "value_minor": 1_000}),
            json!({"day": "2026-11-22", "orders": 1, "value_minor": 2_500}),
        ]
    );
    assert_eq!(
        report(Report::TopProducts).await,
        [
            json!({"product_id": "cup", "pieces": 3, "value_minor": 3_000}),
            json!({"product_id": "jug", "pieces": 1, "value_minor": 500}),
        ]
    );
    assert_eq!(
        report(Report::Funnel).await,
        [
            json!({"status": "PENDING", "orders": 2}),
            json!({"status": "PAID", "orders": 1}),
            json!({"status": "PAYMENT_FAILED", "orders": 1}),
            json!({"status": "SHIPPED", "orders": 1}),
        ]
    );
    assert_eq!(report(Report::StockMoves).await, [json!({"product_id": "cup", "pieces": 2})]);
}

/// The same work gives the same sum, and none gives nothing.
pub async fn heavy_work_is_always_the_same(store: &dyn AnalyticsStore) {
    assert_eq!(store.heavy_query(0).await.expect("none"), 0);
    let expected = (1..=1_000_u64).map(|n| (n * 7_919) % 1_009).sum::<u64>();
    assert_eq!(store.heavy_query(1_000).await.expect("some"), expected);
}
