//! `cargo bench --package obs-benches`: criterion's figures, then one table; an error when a
//! ceiling is passed. `suite -- --instructions JOB TIMES` runs one job by itself, for callgrind.

use std::path::PathBuf;
use std::process::ExitCode;

use criterion::Criterion;
use obs_benches::{budget, harness, jobs, table};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, name, times] = arguments.as_slice()
        && flag == "--instructions"
    {
        return run_one(name, times);
    }
    let output = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/criterion"));
    let mut criterion = Criterion::default().output_directory(&output).configure_from_args();
    let mut jobs = jobs::all();
    harness::time(&mut criterion, &mut jobs);
    let costs: Vec<_> = jobs.iter_mut().filter_map(|job| harness::cost(job, &output)).collect();
    eprintln!("\n{}", table::render(&jobs, &costs));
    let passed = budget::passed_ceilings(&jobs, &costs);
    for sentence in &passed {
        eprintln!("ceiling: {sentence}");
    }
    if passed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_one(name: &str, times: &str) -> ExitCode {
    let Ok(times) = times.parse() else { return ExitCode::from(2) };
    match jobs::all().iter_mut().find(|job| job.name == name) {
        Some(job) => {
            job.run(times);
            ExitCode::SUCCESS
        }
        None => ExitCode::from(2),
    }
}
