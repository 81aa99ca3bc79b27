//! Ceilings: what a job may cost at most.

use crate::harness::Cost;
use crate::{Job, table};

/// The jobs that cost more than their ceiling, as sentences.
#[must_use]
pub fn passed_ceilings(jobs: &[Job], costs: &[Cost]) -> Vec<String> {
    jobs.iter().filter_map(|job| passed_ceiling(job, costs)).collect()
}

fn passed_ceiling(job: &Job, costs: &[Cost]) -> Option<String> {
    let ceiling = job.ceiling?.as_nanos() as f64;
    let added = table::added(job, costs)?.nanos;
    (added > ceiling).then(|| {
        format!("{} adds {added:.0} ns, more than its ceiling of {ceiling:.0} ns", job.name)
    })
}
