//! What the parts of the bench leave for the page, as JSON in the target directory.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::command::{Failure, Outcome};
use crate::workspace::metadata;

/// What was left under `name`.
pub(super) fn read(name: &str) -> Outcome<Value> {
    let path = path(name)?;
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::new(format!("{}: {error}; `cargo xtask bench` measures it", path.display()))
    })?;
    serde_json::from_str(&text).map_err(|error| Failure::new(format!("{name}: {error}")))
}

/// Leaves `figures` under `name`.
pub(super) fn write(name: &str, figures: &Value) -> Outcome {
    let path = path(name)?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    Ok(fs::write(path, figures.to_string())?)
}

fn path(name: &str) -> Outcome<PathBuf> {
    let metadata = metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    Ok(target.join("tmp").join(format!("{name}.json")))
}
