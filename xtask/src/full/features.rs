//! Every feature builds alone, and the crates build without any.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::command::{Failure, Outcome, cargo, said};
use crate::workspace::metadata;

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

/// The features of each published crate.
fn features() -> Outcome<BTreeMap<String, Vec<String>>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let published = packages.filter(|package| package["publish"].is_null());
    Ok(published.filter_map(features_of).collect())
}

fn features_of(package: &Value) -> Option<(String, Vec<String>)> {
    let names = package["features"].as_object()?.keys().cloned().collect();
    Some((package["name"].as_str()?.to_owned(), names))
}
