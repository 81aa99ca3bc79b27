//! `cargo xtask lint`: everything that can be judged without running the code.

mod documents;
mod manifests;
mod modules;
mod pictures;
mod trees;

use crate::command::{Failure, Outcome, cargo, run};
use crate::costs;

/// Features are linted together; the benches, whose rivals build slowly, only as they stand.
const ALL: &[&str] = &["--workspace", "--exclude=obs-benches", "--all-targets", "--all-features"];

pub(crate) fn lint() -> Outcome {
    let findings = [
        manifests::check()?,
        documents::check()?,
        costs::check()?,
        modules::check()?,
        pictures::check()?,
        trees::check()?,
    ]
    .concat();
    for finding in &findings {
        eprintln!("policy: {finding}");
    }
    if !findings.is_empty() {
        return Err(Failure::new(format!("{} findings against the policy", findings.len())));
    }
    run_cargo(&["fmt", "--all", "--check"])?;
    run_cargo(&[&["clippy", "--quiet"], ALL, &["--", "-D", "warnings"]].concat())?;
    run_cargo(&[
        "clippy",
        "--quiet",
        "--package=obs-benches",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    run_cargo(&["clippy", "--quiet", "--", "-D", "warnings"])?;
    run(cargo(&["doc", "--quiet", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings"))
}

fn run_cargo(arguments: &[&str]) -> Outcome {
    run(&mut cargo(arguments))
}
