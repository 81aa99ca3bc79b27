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
pub fn time(criterion: &mut Criterion, jobs: &mut [Job]) {
    for job in jobs {
        criterion.bench_function(job.name, |bencher| {
            bencher.iter_custom(|times| {
                #[allow(clippy::disallowed_methods, reason = "a stopwatch around the job")]
                let start = Instant::now();
                job.run(times);
                start.elapsed()
            });
        });
    }
}

/// Counts the job's allocations and adds the time that criterion measured.
///
/// `None` when criterion did not run the job, because it was filtered out.
pub fn cost(job: &mut Job, output: &Path) -> Option<Cost> {
    let nanos = median(output, job.name)?;
    job.run(WARM_UP_RUNS);
    let counted = allocation_counter::measure(|| job.run(COUNTED_RUNS));
    let per_run = |count: u64| count as f64 / COUNTED_RUNS as f64;
    Some(Cost {
        name: job.name,
        nanos,
        allocations: per_run(counted.count_total),
        bytes: per_run(counted.bytes_total),
    })
}

/// The median in nanoseconds that criterion wrote for `name`.
fn median(output: &Path, name: &str) -> Option<f64> {
    let estimates: PathBuf = output.join(name.replace('/', "_")).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&fs::read(estimates).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
