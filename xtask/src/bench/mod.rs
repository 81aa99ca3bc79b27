//! `cargo xtask bench`: the benches beside their rivals, and `docs/performance.md` of what they said.
//!
//! Each part leaves its figures in the target directory, so the page can be written anew without
//! measuring anew.

mod figures;
mod growth;
mod instructions;
mod jobs;
mod load;
mod page;
mod plot;

use crate::budget::WITHOUT_LTO;
use crate::command::{Outcome, cargo, run};
use crate::costs;

/// Enough for a ceiling, which is tens of times what is measured. Criterion would spend most of the
/// time on how sure it is of each figure.
const QUICK: &[&str] = &[
    "--warm-up-time=0.05",
    "--measurement-time=0.2",
    "--sample-size=30",
    "--nresamples=1001",
    "--noplot",
];
const CAREFUL: &[&str] = &["--warm-up-time", "1", "--measurement-time", "3", "--noplot"];
const SUITE: &[&str] = &["bench", "--quiet", "--package", "obs-benches", "--bench", "suite"];

/// Checks the ceilings, of our own jobs only. Without link-time optimisation, which takes longer to
/// build than the jobs take to run and only makes them quicker.
pub(crate) fn quick() -> Outcome {
    let mut suite = cargo(&[SUITE, &["--"], QUICK].concat());
    run(suite.envs(WITHOUT_LTO))
}

/// Measures everything and writes the page, its plots, and the figures of the READMEs.
pub(crate) fn full() -> Outcome {
    page::keep_circumstances()?;
    run(&mut cargo(&[SUITE, &["--features", "rivals", "--"], CAREFUL].concat()))?;
    let program = instructions::build()?;
    instructions::measure(&program)?;
    growth::measure(&program)?;
    load(&[])?;
    page()
}

/// Measures the service under load.
pub(crate) fn load(arguments: &[&str]) -> Outcome {
    let load = ["bench", "--quiet", "--package", "obs-benches", "--bench", "load", "--", "--run"];
    run(&mut cargo(&[&load, arguments].concat()))
}

/// Counts only instructions, with rivals.
pub(crate) fn count() -> Outcome {
    instructions::measure(&instructions::build()?)
}

/// Measures only what grows, with instructions where valgrind is installed.
pub(crate) fn growth() -> Outcome {
    growth::measure(&instructions::build()?)
}

/// Writes the page, its plots, and the figures of the READMEs, of what was measured last.
pub(crate) fn page() -> Outcome {
    page::write(&instructions::build()?)?;
    costs::write()
}
