//! The morning rush: corporate bulk orders that all come at once.

use axum::extract::State;
use serde::Serialize;
use shop_domain::cart::MAX_ITEMS;
use shop_domain::id::ProductId;
use shop_domain::money::Currency;
use shop_domain::order::{Line, total};
use shop_domain::quantity::Quantity;
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use shop_kit::stress::{Load, Report};

use crate::Orders;

/// The bulk orders of a whole morning.
const WHOLE: u64 = 100_000;

#[derive(Serialize)]
struct Bulk {
    lines: Vec<Line>,
    total_minor: u64,
}

pub(crate) async fn rush(
    State(orders): State<Orders>,
    Query(load): Query<Load>,
) -> Result<Json<Report>, Failure> {
    orders.turns.run("morning-rush", load, load.of(WHOLE), bulk_order).await.map(Json)
}

/// Prices one bulk order of as many lines as an order may have, and writes it as a document.
fn bulk_order(number: u64, digest: u64) -> u64 {
    let line = |place: usize| {
        let price = (number % 997) * 10 + place as u64;
        Some(Line {
            product_id: ProductId::parse(&format!("bulk-{place:03}")).ok()?,
            quantity: Quantity::new(1 + place as i64 % 50).ok()?,
            unit_price_minor: price,
        })
    };
    let lines: Vec<_> = (0..MAX_ITEMS).filter_map(line).collect();
    let total_minor = total(&lines, Currency::EUR).map_or(0, |sum| sum.minor());
    let document = serde_json::to_vec(&Bulk { lines, total_minor }).unwrap_or_default();
    document.iter().fold(digest ^ total_minor, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
