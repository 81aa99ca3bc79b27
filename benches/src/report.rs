//! What was measured, as JSON for `cargo xtask bench`, which writes the document.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Cost;
use crate::{Job, table};

/// One object per job that was measured, in the order of the jobs; costs are beyond the baseline.
#[must_use]
pub fn report(jobs: &[Job], costs: &[Cost]) -> Value {
    let nanos = |limit: Option<Duration>| limit.map(|limit| limit.as_nanos() as u64);
    let rows = jobs.iter().filter_map(|job| {
        let cost = table::added(job, costs)?;
        Some(json!({
            "name": job.name,
            "baseline": job.baseline,
            "rival_of": job.rival_of,
            "ceiling_ns": nanos(job.ceiling),
            "target_ns": nanos(job.target),
            "target_instructions": job.target_instructions,
            "explanation": job.explanation,
            "is_steady": job.is_steady,
            "nanos": cost.nanos,
            "allocations": cost.allocations,
            "bytes": cost.bytes,
            "written": cost.written,
            "background": cost.background,
        }))
    });
    rows.collect()
}
