//! Instruction and allocation budgets: what one run of each job of `benches` may cost.
//!
//! Counted by callgrind, so the same build gives the same figures on any machine of its kind,
//! however busy it is. The jobs are built without link-time optimisation: that is quick, leaves
//! functions to be named, and shows more instructions than `cargo bench` does, never fewer.

mod callgrind;
mod file;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::{Failure, Outcome, capture, cargo};
use crate::workspace::root;
use callgrind::Profile;
pub(crate) use file::Budget;
use file::Budgets;

/// A job fails when it takes this share more instructions than its budget.
const TOLERANCE: f64 = 0.02;

/// Fewer instructions than this are within what hash seeds and addresses change.
const LEAST: f64 = 10.0;

/// Runs of a job in two measurements; their difference leaves out what setting up costs.
pub(crate) const RUNS: [u32; 2] = [200, 1_200];

/// Builds quickly, and leaves functions to be named.
pub(crate) const WITHOUT_LTO: [(&str, &str); 2] =
    [("CARGO_PROFILE_BENCH_LTO", "off"), ("CARGO_PROFILE_BENCH_CODEGEN_UNITS", "16")];

/// Measures every job and compares it with `benches/budgets.json`, or writes that file.
pub(crate) fn budget(write: bool) -> Outcome {
    if !is_possible() {
        eprintln!("xtask: valgrind is not installed, so the instruction budgets are not checked");
        return Ok(());
    }
    eprintln!("xtask: building the jobs whose instructions are counted");
    let program = build(&[], &WITHOUT_LTO)?;
    let measured = measure(&program)?;
    if write {
        return file::write(&measured);
    }
    let known = file::read()?;
    let mut faults = Vec::new();
    for (job, now) in &measured.jobs {
        match known.jobs.get(job) {
            Some(budget) => faults.extend(judge(job, budget, now)),
            None => faults.push(format!("{job} has no budget")),
        }
    }
    let gone = known.jobs.keys().filter(|job| !measured.jobs.contains_key(*job));
    faults.extend(gone.map(|job| format!("{job} has a budget and is no job")));
    if faults.is_empty() {
        return Ok(());
    }
    if known.toolchain != measured.toolchain {
        faults.push(format!("measured with {}, this is {}", known.toolchain, measured.toolchain));
    }
    Err(Failure::new(format!(
        "budgets are exceeded (`cargo xtask budget --write` sets them anew)\n  {}",
        faults.join("\n  ")
    )))
}

/// What is wrong with a job, as sentences.
fn judge(job: &str, budget: &Budget, now: &Budget) -> Vec<String> {
    let mut faults = Vec::new();
    let (least, most) = (budget.instructions + LEAST, budget.instructions * (1.0 + TOLERANCE));
    eprintln!("xtask: {job}: {:.0} instructions of {most:.0}", now.instructions);
    if now.instructions > least.max(most) {
        let grown = budget.grown(now).map(|(name, before, after)| {
            format!("\n    {name}: {before:.0} -> {after:.0} instructions")
        });
        faults.push(format!(
            "{job}: {:.0} instructions, budget {:.0}{}",
            now.instructions,
            budget.instructions,
            grown.collect::<String>()
        ));
    }
    // A queue that grows now and then shows as a fraction.
    if now.allocations > budget.allocations + 0.1 {
        let (now, budget) = (now.allocations, budget.allocations);
        faults.push(format!("{job}: {now:.2} allocations, budget {budget:.2}"));
    }
    faults
}

/// Whether valgrind is installed.
pub(crate) fn is_possible() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok()
}

/// Builds the program that runs one job.
pub(crate) fn build(features: &[&str], environment: &[(&str, &str)]) -> Outcome<PathBuf> {
    let arguments = "bench --no-run --package obs-benches --bench one --message-format=json";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let mut build = cargo(&[&arguments, features].concat());
    let messages = capture(build.envs(environment.iter().copied()))?;
    let executable = messages.lines().find_map(|message| {
        let message: Value = serde_json::from_str(message).ok()?;
        let is_one = message["target"]["name"] == "one";
        message["executable"].as_str().filter(|_| is_one).map(PathBuf::from)
    });
    executable.ok_or_else(|| Failure::new("cargo built no program for the jobs"))
}

/// The jobs of `program`: name, baseline, limits and whether it is steady.
pub(crate) fn jobs(program: &Path) -> Outcome<Vec<Value>> {
    let jobs = capture(Command::new(program).arg("--jobs"))?;
    serde_json::from_str(&jobs).map_err(|error| Failure::new(format!("--jobs: {error}")))
}

fn measure(program: &Path) -> Outcome<Budgets> {
    let toolchain = capture(Command::new("rustc").arg("--version"))?.trim().to_owned();
    let mut measured = Budgets { toolchain, ..Budgets::default() };
    for job in jobs(program)?.iter().filter(|job| job["is_steady"] == true) {
        let of = |what: &str| job[what].as_str().unwrap_or_default();
        let (name, baseline) = (of("name"), of("baseline"));
        let mut cost = profile(program, name, RUNS)?;
        if let Some(baseline) = measured.jobs.get(baseline) {
            cost.subtract(baseline);
        }
        measured.jobs.insert(name.to_owned(), cost);
    }
    Ok(measured)
}

/// What one run of `job` costs the thread that runs it, from two measurements of so many `runs`.
pub(crate) fn profile(program: &Path, job: &str, runs: [u32; 2]) -> Outcome<Budget> {
    let directory = root().join("target/budget");
    std::fs::create_dir_all(&directory)?;
    let mut profiles = Vec::new();
    for runs in runs {
        let out = directory.join(format!("{runs}.out"));
        capture(
            Command::new("valgrind")
                .args(["--quiet", "--tool=callgrind", "--separate-threads=yes"])
                // What libraries do before, such as to measure the clock, differs from run to run.
                .arg("--toggle-collect=main")
                .arg(format!("--callgrind-out-file={}", out.display()))
                .arg(program)
                .args([job, &runs.to_string()]),
        )?;
        // The first thread is the one that runs the job.
        let out = directory.join(format!("{runs}.out-01"));
        profiles.push(Profile::parse(&std::fs::read_to_string(out)?));
    }
    let [few, many] = profiles.as_slice() else {
        return Err(Failure::new("a job was not measured"));
    };
    Ok(Budget::between(few, many, runs[1] - runs[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(instructions: f64, allocations: f64, encode: f64) -> Budget {
        let functions = [("encode".to_owned(), encode), ("rest".to_owned(), instructions - encode)];
        Budget { instructions, allocations, functions: functions.into() }
    }

    #[test]
    fn two_percent_pass_and_more_name_the_function_that_grew() {
        let known = budget(10_000.0, 2.0, 4_000.0);
        assert!(judge("job", &known, &budget(10_200.0, 2.0, 4_200.0)).is_empty());
        let faults = judge("job", &known, &budget(10_400.0, 2.0, 4_400.0));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("encode: 4000 -> 4400"), "{}", faults[0]);
    }

    #[test]
    fn one_more_allocation_fails() {
        let known = budget(10_000.0, 2.0, 4_000.0);
        let faults = judge("job", &known, &budget(10_000.0, 3.0, 4_000.0));
        assert_eq!(faults, ["job: 3.00 allocations, budget 2.00"]);
    }

    #[test]
    fn a_cheap_job_may_waver_by_a_few_instructions() {
        assert!(judge("job", &budget(90.0, 0.0, 50.0), &budget(99.0, 0.0, 55.0)).is_empty());
        assert!(!judge("job", &budget(90.0, 0.0, 50.0), &budget(101.0, 0.0, 55.0)).is_empty());
    }
}
