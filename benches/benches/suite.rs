//! `cargo bench --package obs-benches`: criterion's figures, then one table; an error when a
//! ceiling is passed.

use std::path::PathBuf;
use std::process::ExitCode;

use criterion::Criterion;
use obs_benches::{budget, harness, jobs, report, table};

fn main() -> ExitCode {
    let output = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/criterion"));
    let mut criterion = Criterion::default().output_directory(&output).configure_from_args();
    let jobs = jobs::all();
    harness::time(&mut criterion, &jobs);
    let costs: Vec<_> =
        jobs.iter().filter_map(|job| harness::cost(job, &output, count_allocations)).collect();
    eprintln!("\n{}", table::render(&jobs, &costs));
    // For `cargo xtask bench`, which puts it into the documents.
    let page = concat!(env!("CARGO_TARGET_TMPDIR"), "/costs.json");
    if let Err(error) = std::fs::write(page, report::measured(&jobs, &costs).to_string()) {
        eprintln!("{page}: {error}");
    }
    let passed = budget::passed_ceilings(&jobs, &costs);
    for sentence in &passed {
        eprintln!("ceiling: {sentence}");
    }
    if passed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Allocations and bytes of this thread while `run` runs.
fn count_allocations(run: &mut dyn FnMut()) -> (u64, u64) {
    let counted = allocation_counter::measure(run);
    (counted.count_total, counted.bytes_total)
}
