//! Licences, bans, duplicates and sources of the dependencies, as `deny.toml` says.

use std::process::Command;

use super::tool;
use crate::command::{Outcome, run};
use crate::workspace::root;

pub(super) fn check() -> Outcome {
    let program = tool::installed("cargo-deny", "0.20.2")?;
    // Advisories need a database from the network, and change without a change of ours.
    let what = ["--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    run(Command::new(program).args(what).current_dir(root()))
}
