//! The cold-start avalanche: checkouts at midnight, each on an environment that starts cold.

use axum::extract::State;
use sha2::{Digest, Sha256};
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use shop_kit::stress::{Load, Report};

use crate::{Payments, fraud};

/// The concurrent checkouts of the whole scenario.
const WHOLE: u64 = 10_000;

/// The hashes that setting an environment up takes, over all of them.
const INIT_HASHES: u64 = 10_000_000;

pub(crate) async fn avalanche(
    State(payments): State<Payments>,
    Query(load): Query<Load>,
) -> Result<Json<Report>, Failure> {
    let cold_starts = payments.metrics.cold_starts.clone();
    let checkout = move |number, digest| {
        cold_starts.add(1);
        digest ^ cold_checkout(number)
    };
    payments.turns.run("cold-start-avalanche", load, load.of(WHOLE), checkout).await.map(Json)
}

/// Sets an environment up and validates one payment on it.
fn cold_checkout(number: u64) -> u64 {
    let mut digest = Sha256::digest(number.to_le_bytes());
    for _ in 0..INIT_HASHES / WHOLE {
        digest = Sha256::digest(digest);
    }
    let order = format!("midnight-{number}");
    u64::from(fraud::score("crowd", &order, number, fraud::ITERATIONS))
        ^ digest.iter().fold(0, |sum, byte| sum << 1 ^ u64::from(*byte))
}
