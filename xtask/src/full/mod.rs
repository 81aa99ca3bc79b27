//! `cargo xtask full`: what is judged before a release, too slow for every change.

mod deny;
mod examples;
mod external_types;
mod features;
mod package;
mod rustdoc;
mod semver;
mod tool;

use crate::command::{Failure, Outcome};

pub(crate) use rustdoc::stand_in;

type Check = fn() -> Outcome;

const CHECKS: [(&str, Check); 7] = [
    ("features", features::check),
    ("external-types", external_types::check),
    ("examples", examples::check),
    ("deny", deny::check),
    ("semver", semver::check),
    ("package", package::pack),
    ("adoption", package::adopt),
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
