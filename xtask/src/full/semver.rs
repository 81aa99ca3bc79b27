//! What changed in the public items since the last release, judged against the versions.

use std::process::Command;

use super::tool;
use crate::command::{Outcome, capture, run};
use crate::workspace::root;

const VERSION: &str = "0.45.0";

/// Compares with the latest tag `v…`; before the first release there is nothing to compare with.
pub(super) fn check() -> Outcome {
    let mut tags = Command::new("git");
    tags.args(["tag", "--list", "v*", "--sort=-version:refname"]).current_dir(root());
    let tags = capture(&mut tags)?;
    let Some(release) = tags.lines().next() else {
        eprintln!("xtask: no tag v* yet, so no release to compare the public items with");
        return Ok(());
    };
    let program = tool::installed("cargo-semver-checks", VERSION)?;
    run(Command::new(program)
        .args(["semver-checks", "--workspace", "--all-features", "--baseline-rev", release])
        .current_dir(root()))
}
