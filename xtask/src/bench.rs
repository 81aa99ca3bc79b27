//! `cargo xtask bench`: the benches beside their rivals, and `docs/performance.md` of what they said.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::command::{Failure, Outcome, capture, cargo, run};
use crate::costs;
use crate::workspace::{metadata, root};

/// Enough for a ceiling, which is tens of times what is measured.
const QUICK: &[&str] = &["--warm-up-time", "0.1", "--measurement-time", "0.3", "--noplot"];
const CAREFUL: &[&str] = &["--warm-up-time", "1", "--measurement-time", "3", "--noplot"];
const SUITE: &[&str] = &["bench", "--quiet", "--package", "obs-benches", "--bench", "suite"];

/// Checks the ceilings, of our own jobs only.
pub(crate) fn quick() -> Outcome {
    run(&mut cargo(&[SUITE, &["--"], QUICK].concat()))
}

/// Measures everything and writes the page, and the figures of the READMEs.
pub(crate) fn full() -> Outcome {
    run(&mut cargo(&[SUITE, &["--features", "rivals", "--"], CAREFUL].concat()))?;
    let metadata = metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let table = fs::read_to_string(target.join("tmp/table.md"))?;
    fs::write(root().join("docs/performance.md"), page(&circumstances()?, &table, &budgets()?))?;
    costs::write()
}

fn page(circumstances: &str, table: &str, budgets: &str) -> String {
    format!(
        "# What it costs\n\n\
         Written by `cargo xtask bench`. {circumstances}\n\n\
         Jobs named `observed/…` count what the layer adds to a bare axum route, `resilience/…` what it adds to a\n\
         function that answers at once; the others count the whole. Output is formatted, queued and written, spans go\n\
         through a batch to an exporter, and both end in a sink. Time is the median that criterion found, with fat LTO;\n\
         allocations are those of the thread that works. A rival does the same work in the same run. `cargo bench`\n\
         fails when a ceiling is passed; a target is what we aim at, measured on another machine.\n\n\
         {table}\n\
         ## Instructions\n\n\
         Counted by callgrind without LTO, beyond the baseline; the budgets that `cargo xtask check` holds each change\n\
         to, where valgrind is installed.\n\n{budgets}"
    )
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
    let mut table = "| job | instructions | allocations |\n|---|---|---|\n".to_owned();
    for (name, budget) in budgets["jobs"].as_object().into_iter().flatten() {
        let of = |what: &str| budget[what].as_f64().unwrap_or_default();
        table += &format!("| {name} | {:.0} | {:.1} |\n", of("instructions"), of("allocations"));
    }
    Ok(table)
}
