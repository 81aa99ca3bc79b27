//! `cargo xtask models`: the models of what threads do at once, run by the model checker.

use serde_json::Value;

use crate::command::{Failure, Outcome, capture, cargo, run};

/// What has models. The tests that are models are in modules of the name `model`.
const SELECTION: &[&str] = &[
    "--package=obs-aws-core",
    "--package=obs-aws-ratelimit",
    "--package=obs-aws-tower",
    "--features=obs-aws-tower/bulkhead,obs-aws-tower/retry",
];

/// Runs every model, in a target directory of their own: the flag that puts the model checker's
/// atomics in place would otherwise build everything anew, and the next ordinary build again.
pub(crate) fn models() -> Outcome {
    let metadata = capture(&mut cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| Failure::new(format!("cargo metadata: {error}")))?;
    let target = metadata["target_directory"].as_str().unwrap_or("target");
    let target = format!("--target-dir={target}/models");
    let arguments = [&["test", "--lib", &target], SELECTION, &["--", "model::"]].concat();
    run(cargo(&arguments).env("RUSTFLAGS", "--cfg obs_loom"))
}
