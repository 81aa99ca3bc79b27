//! Ceilings: what a job may cost at most.
//!
//! They are held against the quickest sample: code that is too slow is too slow in each, while a
//! busy machine slows most of them.

use crate::harness::Cost;
use crate::{Job, table};

/// The jobs that cost more than their ceiling, as sentences.
#[must_use]
pub fn passed_ceilings(jobs: &[Job], costs: &[Cost]) -> Vec<String> {
    jobs.iter().filter_map(|job| passed_ceiling(job, costs)).collect()
}

fn passed_ceiling(job: &Job, costs: &[Cost]) -> Option<String> {
    let ceiling = job.ceiling?.as_nanos() as f64;
    let added = table::added(job, costs)?.quickest;
    (added > ceiling).then(|| {
        format!("{} adds {added:.0} ns, more than its ceiling of {ceiling:.0} ns", job.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_is_for_what_is_added_to_the_baseline() {
        // What the machine did beside counts for the median alone.
        let cost = |name, quickest: f64| {
            let (nanos, allocations, bytes, written) = (quickest * 9.0, 0.0, 0.0, None);
            Cost { name, nanos, quickest, allocations, bytes, written, background: None }
        };
        let job = Job::new("layer", || |_| ()).beyond("bare").within(1_000, 10);
        let jobs = [Job::new("bare", || |_| ()), job];
        assert!(
            passed_ceilings(&jobs, &[cost("bare", 5_000.0), cost("layer", 6_000.0)]).is_empty()
        );
        assert_eq!(
            passed_ceilings(&jobs, &[cost("bare", 5_000.0), cost("layer", 6_001.0)]),
            ["layer adds 1001 ns, more than its ceiling of 1000 ns"]
        );
    }
}
