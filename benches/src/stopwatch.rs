//! A quick measurement of time, for figures that are compared with each other and nothing else.

use std::time::{Duration, Instant};

use crate::job::Running;

const SAMPLES: usize = 21;
const SHORTEST: Duration = Duration::from_millis(5);

/// The median time of one run, in nanoseconds. Each sample takes a multiple of `runs`.
pub fn median_nanos(run: &mut Running, runs: u64) -> f64 {
    let mut runs = runs.max(1);
    run(runs);
    while time(run, runs) < SHORTEST {
        runs *= 2;
    }
    let mut samples: Vec<Duration> = (0..SAMPLES).map(|_| time(run, runs)).collect();
    samples.sort();
    samples[SAMPLES / 2].as_nanos() as f64 / runs as f64
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch around the job")]
fn time(run: &mut Running, runs: u64) -> Duration {
    let start = Instant::now();
    run(runs);
    start.elapsed()
}
