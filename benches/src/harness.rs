//! Measures jobs: time by criterion, allocations by a counting allocator.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use criterion::Criterion;

use crate::Job;

const WARM_UP_RUNS: u64 = 1_000;
const COUNTED_RUNS: u64 = 1_000;

/// What a job cost, per run.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The job's name.
    pub name: &'static str,
    /// The median time in nanoseconds.
    pub nanos: f64,
    /// Allocations.
    pub allocations: f64,
    /// Bytes allocated.
    pub bytes: f64,
}

/// Times `jobs` with criterion, which prints as it goes and keeps its figures under `output`.
pub fn time(criterion: &mut Criterion, jobs: &[Job]) {
    for job in jobs {
        criterion.bench_function(job.name, |bencher| {
            let mut run = job.start();
            bencher.iter_custom(|times| {
                #[allow(clippy::disallowed_methods, reason = "a stopwatch around the job")]
                let start = Instant::now();
                run(times);
                start.elapsed()
            });
        });
    }
}

/// What criterion measured for `job`, with the allocations and bytes of `count`, which runs what it
/// is given and tells both.
///
/// `None` when criterion did not run the job, because it was filtered out.
pub fn cost(
    job: &Job,
    output: &Path,
    count: impl FnOnce(&mut dyn FnMut()) -> (u64, u64),
) -> Option<Cost> {
    let nanos = median(output, job.name)?;
    let mut run = job.start();
    run(WARM_UP_RUNS);
    let (allocations, bytes) = count(&mut || run(COUNTED_RUNS));
    let per_run = |count: u64| count as f64 / COUNTED_RUNS as f64;
    Some(Cost { name: job.name, nanos, allocations: per_run(allocations), bytes: per_run(bytes) })
}

/// The median in nanoseconds that criterion wrote for `name`.
fn median(output: &Path, name: &str) -> Option<f64> {
    let estimates: PathBuf = output.join(name.replace('/', "_")).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&fs::read(estimates).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
