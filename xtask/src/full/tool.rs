//! Programs of others, built once from the registry under `.parts/cargo/`.

use std::path::PathBuf;

use crate::command::{Outcome, cargo, run};
use crate::workspace::root;

/// Installs the program in this version unless it is there; its path.
pub(super) fn installed(name: &str, version: &str) -> Outcome<PathBuf> {
    let folder = root().join(".parts/cargo");
    run(cargo(&["install", "--quiet", "--locked", name, "--version", version, "--root"])
        .arg(&folder))?;
    Ok(folder.join("bin").join(name))
}
