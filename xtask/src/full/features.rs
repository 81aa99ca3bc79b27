//! Every feature builds alone, and the crates build without any.

use std::process::Command;

use crate::command::{Failure, Outcome, cargo, said};
use crate::workspace::features;

/// Checks each published crate without features and with each of its features alone.
pub(super) fn check() -> Outcome {
    for (package, features) in features()? {
        let bare = ["check", "--quiet", "--lib", "--no-default-features", "--package", &package];
        silent(&mut cargo(&bare))?;
        for feature in features.iter().filter(|feature| *feature != "default") {
            silent(&mut cargo(&[&bare[..], &["--features", feature]].concat()))?;
        }
    }
    Ok(())
}

/// Runs a command that has nothing to say when all is well, so that a warning fails it.
fn silent(command: &mut Command) -> Outcome {
    match said(command)? {
        said if said.is_empty() => Ok(()),
        said => Err(Failure::new(said)),
    }
}
