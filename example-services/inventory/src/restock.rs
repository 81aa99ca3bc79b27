//! Filling the shelf: a delivery, and the storm of a weekly synchronisation.

use std::hint::black_box;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shop_domain::cart::{Item, MAX_ITEMS};
use shop_domain::id::ProductId;
use shop_domain::stock::Level;
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use shop_kit::stress::{Load, Report};

use crate::Inventory;

#[derive(Debug, Deserialize)]
pub(crate) struct Delivery {
    lines: Vec<Item>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Restocked {
    levels: Vec<Level>,
}

/// Adds pieces to the shelf, line by line; one that cannot be added stops what follows.
#[tracing::instrument(name = "stock.restock", skip_all)]
pub(crate) async fn restock(
    State(inventory): State<Inventory>,
    Json(Delivery { lines }): Json<Delivery>,
) -> Result<Json<Restocked>, Failure> {
    if lines.is_empty() || lines.len() > MAX_ITEMS {
        return Err(Failure::unprocessable(format!("lines must name 1 to {MAX_ITEMS} products")));
    }
    let mut levels = Vec::with_capacity(lines.len());
    for Item { product_id, quantity } in lines {
        let level = inventory.store.restock(&product_id, quantity.get().into()).await?;
        levels.push(level.ok_or_else(|| {
            let detail = format!("{product_id} was never stocked, or its shelf is full");
            Failure::conflict(detail).with("product_id", product_id.as_str())
        })?);
    }
    Ok(Json(Restocked { levels }))
}

/// The records of a whole week.
const WHOLE: u64 = 2_000_000;

pub(crate) async fn storm(
    State(inventory): State<Inventory>,
    Query(load): Query<Load>,
) -> Result<Json<Report>, Failure> {
    inventory.turns.run("restock", load, load.of(WHOLE), record).await.map(Json)
}

/// Reads one record of the supplier's file and reconciles it with what the shelf should hold.
fn record(number: u64, digest: u64) -> u64 {
    let line = format!(
        r#"{{"product_id":"sku-{:05}","quantity":{}}}"#,
        number % 20_000,
        1 + number % 1_000
    );
    let Ok(Item { product_id, quantity }) = serde_json::from_str(black_box(&line)) else {
        return digest;
    };
    let level = Level { product_id, quantity: quantity.get().into(), reserved: number % 7 };
    digest.rotate_left(3) ^ level.available() ^ id_digest(&level.product_id)
}

fn id_digest(id: &ProductId) -> u64 {
    id.as_str().bytes().fold(7, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}
