//! What rustdoc knows of a crate, as JSON, which the stable compiler writes when it is told to.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::command::{Failure, Outcome, cargo, run};
use crate::workspace::metadata;

/// The document of the library of `package`, with the features that `features` switches on.
pub(super) fn document(package: &str, features: &str) -> Outcome<Value> {
    // Of rustdoc alone: in cargo's own environment the switch would make build scripts run again.
    let wrapper = std::env::current_exe()?;
    let rustdoc = ["rustdoc", "--quiet", "--lib", features, "--package", package];
    let json = ["--", "-Z", "unstable-options", "--output-format", "json"];
    run(cargo(&[&rustdoc[..], &json[..]].concat())
        .env("RUSTDOC", &wrapper)
        .env(AS_RUSTDOC, std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into())))?;
    let metadata = metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let file = target.join("doc").join(format!("{}.json", library(package)));
    serde_json::from_str(&fs::read_to_string(&file)?)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

/// The name of the library of a published package.
pub(super) fn library(package: &str) -> String {
    package.replace("obs-aws-", "obs_")
}

/// Names the real rustdoc for the program that stands in for it.
const AS_RUSTDOC: &str = "OBS_XTASK_RUSTDOC";

/// Runs rustdoc with its unstable options if cargo started this program in its place.
pub(crate) fn stand_in(arguments: &[String]) -> Option<Outcome> {
    let rustdoc = std::env::var_os(AS_RUSTDOC)?;
    let mut command = std::process::Command::new(rustdoc);
    let status = command.args(arguments).env("RUSTC_BOOTSTRAP", "1").status();
    Some(match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("rustdoc ended with {status}"))),
        Err(error) => Err(error.into()),
    })
}
