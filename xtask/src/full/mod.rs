//! `cargo xtask full`: what is judged before a release, too slow for every change.

mod deny;
mod external_types;
mod features;
mod package;
mod semver;
mod tool;

use crate::command::{Failure, Outcome};

type Check = fn() -> Outcome;

const CHECKS: [(&str, Check); 5] = [
    ("features", features::check),
    ("external-types", external_types::check),
    ("deny", deny::check),
    ("semver", semver::check),
    ("package", package::check),
];

/// Runs every check, or the one that is named.
pub(crate) fn full(name: Option<&str>) -> Outcome {
    let chosen: Vec<_> =
        CHECKS.into_iter().filter(|(check, _)| name.is_none_or(|name| name == *check)).collect();
    if chosen.is_empty() {
        let names = CHECKS.map(|(check, _)| check).join(", ");
        return Err(Failure::new(format!("no such check; there are {names}")));
    }
    for (check, run) in chosen {
        eprintln!("xtask: full {check}");
        run()?;
    }
    Ok(())
}
