//! `cargo bench --package obs-benches --bench load -- --run`: the service bare, observed and behind
//! the whole chain, under load over real sockets. `--quick` makes fewer and shorter rounds, `--own`
//! leaves wrk alone. Exits with an error when a request failed, a line is unaccounted for, or
//! memory grew.

use std::io;
use std::process::ExitCode;

use obs_benches::load::{Campaign, Variant, faults, json, render, serve};

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [command, variant] = arguments.as_slice()
        && command == "serve"
        && let Some(variant) = Variant::named(variant)
    {
        serve(variant, io::stdin().lock(), io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // Without arguments, as in a plain `cargo bench`, there is nothing to do.
    if !has("--run") {
        return Ok(if arguments.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) });
    }
    run(if has("--quick") { quick() } else { Campaign::default() }, has("--own"))
}

fn quick() -> Campaign {
    Campaign { rounds: 4, seconds: 1, ..Campaign::default() }
}

fn run(campaign: Campaign, is_own: bool) -> io::Result<ExitCode> {
    let outcome = Campaign { may_use_wrk: !is_own, ..campaign }.run()?;
    eprintln!("\n{}", render(&outcome));
    // For `cargo xtask bench`, which puts it into the documents.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/load.json"), json(&outcome).to_string())?;
    let faults = faults(&outcome);
    for fault in &faults {
        eprintln!("fault: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
