use std::hint::black_box;
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use tokio::sync::Semaphore;

/// The most iterations one request may ask for: about a second of one processor.
const MAX_CPU_ITERATIONS: u64 = 500_000_000;

/// The most memory one request may ask for, in MiB.
const MAX_MEMORY_MB: usize = 256;

/// The requests that may be at it at a time.
const CONCURRENT: usize = 2;

const MIB: usize = 1024 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CONCURRENT)))
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Load {
    #[serde(default)]
    cpu_iterations: u64,
    #[serde(default)]
    memory_mb: usize,
}

/// Works the processor and fills memory, away from the threads that serve requests.
pub(crate) async fn stress(
    State(Turns(turns)): State<Turns>,
    Query(load): Query<Load>,
) -> Result<Json<Load>, Failure> {
    if load.cpu_iterations > MAX_CPU_ITERATIONS || load.memory_mb > MAX_MEMORY_MB {
        return Err(Failure::unprocessable(format!(
            "cpu_iterations must be at most {MAX_CPU_ITERATIONS}, memory_mb at most {MAX_MEMORY_MB}"
        )));
    }
    let busy = || Failure::unavailable("the stress test is busy");
    let turn = turns.try_acquire_owned().map_err(|_| busy())?;
    let work = move || {
        work(load);
        drop(turn);
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| busy())?;
    Ok(Json(load))
}

fn work(load: Load) {
    let mut memory = vec![0_u8; load.memory_mb * MIB];
    // A page that is never written takes no memory.
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    let hash = (0..load.cpu_iterations)
        .fold(0_u64, |hash, n| (hash ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
    black_box((hash, &memory));
}
