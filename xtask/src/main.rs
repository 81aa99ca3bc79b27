//! The commands of the project itself: `cargo xtask <command>`.

#![allow(
    clippy::disallowed_methods,
    reason = "a command-line program: the environment and the time are its own"
)]

mod bench;
mod budget;
mod command;
mod costs;
mod full;
mod lint;
mod models;
mod parts;
mod pictures;
mod test;
mod workspace;

use std::process::ExitCode;

use command::Outcome;

const USAGE: &str = "\
cargo xtask <command>

  lint     formatting, clippy, rustdoc and the project's own policy; warnings are errors
  test     sets up what the tests need (once, under .parts/), starts it, runs every test, stops it
  models   runs the models of what threads do at once through the model checker; so does test
  budget   counts the instructions and allocations of each bench job and compares them with
           benches/budgets.json; `--write` sets them anew; nothing where valgrind is not installed
  check    lint, then test, the ceilings (`bench --quick`), then budget: what CI runs and, where
           valgrind is installed, the counts
  bench    measures beside rivals, as something grows and under load, and writes
           docs/performance.md; `--quick` checks the ceilings, `--instructions` and `--growth` measure
           only that, `--page` writes the page of what was measured last
  load     measures the service bare, observed and guarded over real sockets; `--quick` makes fewer
           rounds, `--own` leaves wrk alone where it is installed
  full     check, and what a release needs: each feature alone, foreign types in public items,
           an example of each, licences and duplicates, semver, packages, and the documents tried
           with them from empty folders; `full NAME` runs one of these alone
  pictures draws docs/pictures/*.dot; the lint asks for it when one changed
  parts    sets up and starts what the tests need, prints its addresses, waits for end of input
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(outcome) = full::stand_in(&arguments) {
        return report(outcome);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["lint"] => lint::lint(),
        ["test", filter @ ..] => test::test(filter),
        ["models"] => models::models(),
        ["budget"] => budget::budget(false),
        ["budget", "--write"] => budget::budget(true),
        ["check"] => check(),
        ["full"] => check().and_then(|()| full::full(None)),
        ["full", name] => full::full(Some(name)),
        ["bench"] => bench::full(),
        ["bench", "--quick"] => bench::quick(),
        ["bench", "--instructions"] => bench::count(),
        ["bench", "--growth"] => bench::growth(),
        ["bench", "--page"] => bench::page(),
        ["load", arguments @ ..] => bench::load(arguments),
        ["pictures"] => pictures::draw(),
        ["parts"] => parts::serve(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    report(outcome)
}

fn check() -> Outcome {
    lint::lint()?;
    test::test(&[])?;
    bench::quick()?;
    budget::budget(false)
}

fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
