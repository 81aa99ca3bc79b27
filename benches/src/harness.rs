//! Measures jobs: time by criterion, allocations by a counting allocator, then what is written and
//! what other threads do meanwhile.

use std::fs;
use std::path::Path;
use std::time::Instant;

use criterion::Criterion;
use serde_json::Value;

use crate::cpu::Used;
use crate::{Job, sink};

const WARM_UP_RUNS: u64 = 1_000;
const COUNTED_RUNS: u64 = 1_000;

/// How long a job runs for what its other threads do to be seen, in nanoseconds.
const WATCHED: f64 = 50_000_000.0;

/// What a job cost, per run.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The job's name.
    pub name: &'static str,
    /// The median time in nanoseconds.
    pub nanos: f64,
    /// The time of the quickest sample, which what else the machine does disturbed least.
    pub quickest: f64,
    /// Allocations.
    pub allocations: f64,
    /// Bytes allocated.
    pub bytes: f64,
    /// Bytes written out, unless another thread runs the job as well.
    pub written: Option<f64>,
    /// Processor time of other threads in nanoseconds, unless those run the job as well.
    pub background: Option<f64>,
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
    let (nanos, quickest) = time_of(output, job.name)?;
    let mut run = job.start();
    run(WARM_UP_RUNS);
    let (allocations, bytes) = count(&mut || run(COUNTED_RUNS));
    drop(run);
    let (written, background) = beside(job, (WATCHED / nanos.max(1.0)) as u64 + 1);
    let per_run = |count: u64| count as f64 / COUNTED_RUNS as f64;
    Some(Cost {
        name: job.name,
        nanos,
        quickest,
        allocations: per_run(allocations),
        bytes: per_run(bytes),
        written: (!job.is_shared).then_some(written),
        background: (!job.is_shared).then_some(background),
    })
}

/// Bytes written and nanoseconds of other threads, for each of so many runs.
fn beside(job: &Job, runs: u64) -> (f64, f64) {
    let written = sink::written();
    let mut run = job.start();
    run(WARM_UP_RUNS);
    let used = Used::now();
    run(runs);
    // What is dropped writes and exports what it still holds.
    drop(run);
    let others = Used::now().by_others_since(used);
    let written = (sink::written() - written) as f64 / (WARM_UP_RUNS + runs) as f64;
    (written, others.as_nanos() as f64 / runs as f64)
}

/// The median that criterion wrote for `name`, and its quickest sample, in nanoseconds.
fn time_of(output: &Path, name: &str) -> Option<(f64, f64)> {
    let directory = output.join(name.replace('/', "_")).join("new");
    let estimates = read(&directory.join("estimates.json"))?;
    let sample = read(&directory.join("sample.json"))?;
    let numbers = |name: &str| sample[name].as_array()?.iter().map(Value::as_f64).collect();
    let (times, runs): (Option<Vec<f64>>, Option<Vec<f64>>) = (numbers("times"), numbers("iters"));
    let each = times?.into_iter().zip(runs?).map(|(time, runs)| time / runs);
    Some((estimates["median"]["point_estimate"].as_f64()?, each.reduce(f64::min)?))
}

fn read(file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}
