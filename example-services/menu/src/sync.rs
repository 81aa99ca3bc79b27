//! The menu-sync storm: pods that fetch the whole menu for a season's launch.

use std::hint::black_box;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use shop_kit::stress::{Load, Report, Turns};

/// 50 pods, each of which syncs 10,000 items.
const WHOLE: u64 = 50 * 10_000;

/// How often each item is written and read as JSON.
const ENCODINGS: u32 = 100;

#[derive(Deserialize, Serialize)]
struct Synced {
    number: u64,
    image: String,
    kilojoules: [u32; 4],
}

pub(crate) async fn sync(
    State(turns): State<Turns>,
    Query(load): Query<Load>,
) -> Result<Json<Report>, Failure> {
    turns.run("menu-sync", load, load.of(WHOLE), item).await.map(Json)
}

/// Syncs one item: hash of its picture, base64 both ways, nutrition, JSON a hundred times.
fn item(number: u64, digest: u64) -> u64 {
    let picture = Sha256::digest(number.to_le_bytes());
    let text = STANDARD.encode(picture);
    let back = STANDARD.decode(&text).unwrap_or_default();
    let grams = back.iter().take(4).map(|byte| u32::from(*byte));
    // Protein, carbohydrate, fat, alcohol: kilojoules in a gram, as on every label in the EU.
    let kilojoules = grams.zip([17, 17, 37, 29]).map(|(grams, each)| grams * each);
    let mut energy = [0; 4];
    energy.iter_mut().zip(kilojoules).for_each(|(slot, value)| *slot = value);
    let mut synced = Synced { number, image: text, kilojoules: energy };
    for _ in 0..ENCODINGS {
        let document = black_box(serde_json::to_vec(&synced)).unwrap_or_default();
        if let Ok(read) = serde_json::from_slice(&document) {
            synced = read;
        }
    }
    let sum = synced.kilojoules.iter().map(|value| u64::from(*value)).sum::<u64>();
    digest.rotate_left(7) ^ sum ^ synced.number
}
