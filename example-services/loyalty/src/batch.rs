//! The hourly batch: every ledger summed up and every tier decided anew.

use axum::extract::State;
use shop_domain::loyalty::Tier;
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use shop_kit::stress::{Load, Report};

use crate::Loyalty;

/// The customers of the whole batch.
const WHOLE: u64 = 5_000_000;

/// The made-up entries of each.
const ENTRIES: u64 = 200;

pub(crate) async fn batch(
    State(loyalty): State<Loyalty>,
    Query(load): Query<Load>,
) -> Result<Json<Report>, Failure> {
    // The real ledger first: the scenario is no excuse for a wrong balance.
    loyalty.store.recalculate().await?;
    loyalty.turns.run("batch-calculation", load, load.of(WHOLE), customer).await.map(Json)
}

fn customer(number: u64, digest: u64) -> u64 {
    let entry =
        |n: u64| (number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n) >> 33) % 40;
    let points = (0..ENTRIES).map(entry).sum();
    let tier = Tier::of(points) as u64;
    digest.rotate_left(5) ^ points ^ tier
}
