//! Chromium, in which the storefront is tried.

use std::path::PathBuf;

use super::debian;
use crate::command::{Failure, Outcome};

/// What it is called, by Debian, by Ubuntu and by Google.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

pub(super) fn install() -> Outcome {
    if program().is_ok() {
        return Ok(());
    }
    debian::install(&["chromium"])
}

/// The path of the program, which must be installed.
pub(super) fn program() -> Outcome<PathBuf> {
    let found = NAMES.iter().find_map(|name| debian::which(name));
    found.ok_or_else(|| Failure::new("Chromium is not installed"))
}
