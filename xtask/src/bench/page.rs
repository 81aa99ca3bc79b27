//! `docs/performance.md`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::jobs::Jobs;
use super::{figures, growth, load};
use crate::budget;
use crate::command::{Failure, Outcome, capture};
use crate::workspace::root;

/// Writes the page; `program` says what the jobs are.
pub(super) fn write(program: &Path) -> Outcome {
    let described = budget::jobs(program)?;
    let (costs, instructions) = (figures::read("costs")?, figures::read("instructions")?);
    let jobs = Jobs::new(&described, &costs, &instructions);
    for job in jobs.unexplained() {
        eprintln!("xtask: {job} misses its target, and nothing says why");
    }
    let sections = [jobs.sections(), load::section()?, growth::section()?, budgets()?];
    let page = format!("{}{}", introduction()?, sections.join("\n"));
    Ok(fs::write(root().join("docs/performance.md"), page.trim_end().to_owned() + "\n")?)
}

fn introduction() -> Outcome<String> {
    let circumstances = figures::read("circumstances")?;
    let circumstances = circumstances.as_str().unwrap_or_default();
    Ok(format!(
        "# What it costs\n\n\
         Written by `cargo xtask bench`. {circumstances}\n\n\
         Jobs named `observed/…` and `chain/…` count what the layers add to a bare axum route, `resilience/…` what it adds\n\
         to a function that answers at once; the others count the whole. Output is formatted, queued and written, spans go\n\
         through a batch to an exporter, and both end in a sink. Time is the median that criterion found, with fat LTO;\n\
         allocations and bytes are those of the thread that works, `written` is what went out, `behind` is the processor\n\
         time of other threads. A rival does the same work in the same run. `cargo bench` fails when a ceiling is passed; a\n\
         target is what we aim at.\n\n"
    ))
}

/// Keeps for the page by what commit, compiler and machine the figures come about: it may be written
/// again later, and by then the commit is another.
pub(super) fn keep_circumstances() -> Outcome {
    figures::write("circumstances", &circumstances()?.into())
}

/// Commit, date, compiler and machine.
fn circumstances() -> Outcome<String> {
    let say = |program: &str, arguments: &[&str]| -> Outcome<String> {
        let said = capture(Command::new(program).args(arguments).current_dir(root()))?;
        Ok(said.trim().to_owned())
    };
    let commit = say("git", &["rev-parse", "--short", "HEAD"])?;
    let date = say("git", &["log", "-1", "--format=%cs"])?;
    let compiler = say("rustc", &["--version"])?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    Ok(format!("Commit {commit} of {date}, {compiler}, {} with {cores} cores.", processor()))
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("a processor", |model| model.trim_start_matches([' ', '\t', ':'])).to_owned()
}

fn budgets() -> Outcome<String> {
    let text = fs::read_to_string(root().join("benches/budgets.json"))?;
    let budgets: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("budgets.json: {error}")))?;
    let mut section = "## Budgets\n\n\
         Instructions and allocations without link-time optimisation, to which `cargo xtask check` holds each change where\n\
         valgrind is installed.\n\n\
         | job | instructions | allocations |\n|---|---|---|\n"
        .to_owned();
    for (name, budget) in budgets["jobs"].as_object().into_iter().flatten() {
        let of = |what: &str| budget[what].as_f64().unwrap_or_default();
        section += &format!("| {name} | {:.0} | {:.1} |\n", of("instructions"), of("allocations"));
    }
    Ok(section)
}
