//! The query storm: the reports of a quarter's end, all at once.

use axum::extract::State;
use serde::Serialize;
use shop_domain::analytics::Report;
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use shop_kit::stress::{Load, Report as Run};

use crate::Analytics;

/// The rows that the made-up query of the whole scenario goes through.
const WHOLE: u64 = 20_000_000;

/// The most rows of one query: what can be interrupted in between.
const STEP: u64 = 200_000;

#[derive(Serialize)]
pub(crate) struct Stormed {
    #[serde(flatten)]
    run: Run,
    rows_reported: usize,
}

/// Makes every report once, then goes through made-up rows until the load is done.
pub(crate) async fn storm(
    State(analytics): State<Analytics>,
    Query(load): Query<Load>,
) -> Result<Json<Stormed>, Failure> {
    let load = load.check()?;
    let mut rows_reported = 0;
    for report in Report::ALL {
        rows_reported += analytics.store.report(report).await?.len();
    }
    let planned = load.of(WHOLE).div_ceil(STEP);
    let store = std::sync::Arc::clone(&analytics.store);
    let handle = tokio::runtime::Handle::current();
    let query = move |number: u64, digest: u64| {
        let sum = handle.block_on(store.heavy_query(STEP + number % 7));
        digest.rotate_left(9) ^ sum.unwrap_or_default()
    };
    let run = analytics.turns.run("query-storm", load, planned, query).await?;
    Ok(Json(Stormed { run, rows_reported }))
}
