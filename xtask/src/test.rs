//! `cargo xtask test`: sets up the parts, builds, starts the parts, runs every test and every model.

use std::thread;

use crate::command::{Failure, Outcome, cargo, run};
use crate::models::models;
use crate::parts::{Parts, install};

/// All features at once. The benches come after, for their rivals take long to build and have
/// nothing to be tested.
const SELECTION: &[&str] = &["--workspace", "--exclude=obs-benches", "--all-features"];
const BENCHES: &[&str] = &["test", "--package=obs-benches", "--lib", "--"];

/// Runs every test and every model, or the tests whose name contains one of `filter`.
pub(crate) fn test(filter: &[&str]) -> Outcome {
    thread::scope(|scope| {
        let installing = scope.spawn(install);
        run(&mut cargo(&[&["test", "--quiet", "--no-run"], SELECTION].concat()))?;
        installing.join().map_err(|_| Failure::new("setting up the parts panicked"))?
    })?;
    let parts = Parts::start()?;
    let arguments = [&["test", "--no-fail-fast"], SELECTION, &["--"], filter].concat();
    run(cargo(&arguments).envs(parts.environment()))?;
    run(&mut cargo(&[BENCHES, filter].concat()))?;
    if filter.is_empty() { models() } else { Ok(()) }
}
