//! `benches/budgets.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::callgrind::Profile;
use crate::command::{Failure, Outcome};
use crate::workspace::root;

const PATH: &str = "benches/budgets.json";

/// Functions of fewer instructions are not listed.
const LEAST_LISTED: f64 = 50.0;

/// What every job may cost.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    /// What measured them.
    pub(super) toolchain: String,
    pub(super) jobs: BTreeMap<String, Budget>,
}

/// What one run of a job costs beyond its baseline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    pub(crate) instructions: f64,
    pub(super) allocations: f64,
    /// Instructions by function.
    pub(super) functions: BTreeMap<String, f64>,
}

impl Budget {
    /// One of the `runs` by which `many` did more than `few`.
    pub(super) fn between(few: &Profile, many: &Profile, runs: u32) -> Self {
        let per_run = |few: u64, many: u64| (many as f64 - few as f64) / f64::from(runs);
        let functions = many.functions.iter().map(|(name, &cost)| {
            let before = few.functions.get(name).copied().unwrap_or(0);
            (name.clone(), per_run(before, cost))
        });
        Self {
            instructions: per_run(few.instructions(), many.instructions()),
            allocations: per_run(few.allocations, many.allocations),
            functions: functions.collect(),
        }
    }

    pub(super) fn subtract(&mut self, baseline: &Self) {
        self.instructions -= baseline.instructions;
        self.allocations -= baseline.allocations;
        for (name, cost) in &baseline.functions {
            *self.functions.entry(name.clone()).or_default() -= cost;
        }
    }

    /// The three functions that grew most, with what they cost before and after.
    pub(super) fn grown<'a>(
        &'a self,
        now: &'a Self,
    ) -> impl Iterator<Item = (&'a str, f64, f64)> + use<'a> {
        // One that is not listed cost no more than the cheapest that is.
        let unlisted = self.functions.values().copied().reduce(f64::min).unwrap_or(0.0);
        let mut grown: Vec<_> = now
            .functions
            .iter()
            .map(|(name, &after)| (name.as_str(), self.functions.get(name), after))
            .map(|(name, before, after)| (name, before.copied().unwrap_or(unlisted), after))
            .filter(|(_, before, after)| after - before >= 1.0)
            .collect();
        grown.sort_by(|a, b| (b.2 - b.1).total_cmp(&(a.2 - a.1)));
        grown.into_iter().take(3)
    }
}

pub(super) fn read() -> Outcome<Budgets> {
    let text = std::fs::read_to_string(root().join(PATH))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| Failure::new(format!("{PATH}: {error}")))?;
    let toolchain = value["toolchain"].as_str().unwrap_or_default().to_owned();
    let no_jobs = Map::new();
    let jobs = value["jobs"].as_object().unwrap_or(&no_jobs);
    let jobs = jobs.iter().map(|(name, job)| {
        let functions = job["functions"].as_object().into_iter().flatten();
        let functions =
            functions.filter_map(|(name, cost)| Some((name.clone(), cost.as_f64()?))).collect();
        let number = |member: &str| {
            let missing = || Failure::new(format!("{PATH}: {name} has no {member}"));
            job[member].as_f64().ok_or_else(missing)
        };
        let (instructions, allocations) = (number("instructions")?, number("allocations")?);
        Ok((name.clone(), Budget { instructions, allocations, functions }))
    });
    Ok(Budgets { toolchain, jobs: jobs.collect::<Outcome<_>>()? })
}

pub(super) fn write(budgets: &Budgets) -> Outcome {
    let jobs = budgets.jobs.iter().map(|(name, budget)| {
        let listed = budget.functions.iter().filter(|(_, cost)| **cost >= LEAST_LISTED);
        let functions: Map<_, _> =
            listed.map(|(name, cost)| (name.clone(), json!(cost.round()))).collect();
        let budget = json!({
            "instructions": budget.instructions.round(),
            "allocations": (budget.allocations * 100.0).round() / 100.0,
            "functions": functions,
        });
        (name.clone(), budget)
    });
    let value = json!({ "toolchain": budgets.toolchain, "jobs": jobs.collect::<Map<_, _>>() });
    let text = serde_json::to_string_pretty(&value)
        .map_err(|error| Failure::new(format!("{PATH}: {error}")))?;
    std::fs::write(root().join(PATH), text + "\n")?;
    eprintln!("xtask: wrote {PATH}");
    Ok(())
}
