//! Instructions of every steady job, ours and the rivals', built as `cargo bench` builds them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::figures;
use crate::budget;
use crate::command::Outcome;

/// Builds the program that runs one job, with rivals and link-time optimisation.
pub(super) fn build() -> Outcome<PathBuf> {
    eprintln!("xtask: building the program that runs one job");
    budget::build(&["--features", "rivals"], &[])
}

/// Counts what one run of each job takes beyond its baseline; nothing where valgrind is not
/// installed.
pub(super) fn measure(program: &Path) -> Outcome {
    let mut counted = BTreeMap::new();
    if budget::is_possible() {
        for job in budget::jobs(program)? {
            if job["is_steady"] != true {
                continue;
            }
            let name = job["name"].as_str().unwrap_or_default().to_owned();
            let mut cost = budget::profile(program, &name, budget::RUNS)?.instructions;
            if let Some(baseline) = job["baseline"].as_str().and_then(|name| counted.get(name)) {
                cost -= baseline;
            }
            eprintln!("xtask: {name}: {cost:.0} instructions");
            counted.insert(name, cost);
        }
    }
    let counted: Map<String, Value> =
        counted.into_iter().map(|(name, cost)| (name, json!(cost.round()))).collect();
    figures::write("instructions", &Value::Object(counted))
}
