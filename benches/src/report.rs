//! Jobs and what they cost, as JSON for `cargo xtask bench`, which writes the document.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Cost;
use crate::{Job, table};

/// What each job is, in the order of the table.
#[must_use]
pub fn described(jobs: &[Job]) -> Value {
    let nanos = |limit: Option<Duration>| limit.map(|limit| limit.as_nanos() as u64);
    let describe = |job: &Job| {
        json!({
            "name": job.name,
            "baseline": job.baseline,
            "rival_of": job.rival_of,
            "ceiling_ns": nanos(job.ceiling),
            "target_ns": nanos(job.target),
            "target_instructions": job.target_instructions,
            "explanation": job.explanation,
            "is_steady": job.is_steady,
        })
    };
    jobs.iter().map(describe).collect()
}

/// What each job that was measured costs beyond its baseline.
#[must_use]
pub fn measured(jobs: &[Job], costs: &[Cost]) -> Value {
    let cost = |job: &Job| {
        let cost = table::added(job, costs)?;
        Some(json!({
            "name": cost.name,
            "nanos": cost.nanos,
            "allocations": cost.allocations,
            "bytes": cost.bytes,
            "written": cost.written,
            "background": cost.background,
        }))
    };
    jobs.iter().filter_map(cost).collect()
}
