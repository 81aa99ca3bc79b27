//! The table that `cargo bench` prints at its end.

use std::fmt::Write as _;
use std::time::Duration;

use crate::Job;
use crate::harness::Cost;

/// What a job costs beyond its baseline.
#[must_use]
pub fn added(job: &Job, costs: &[Cost]) -> Option<Cost> {
    let of = |name| costs.iter().find(|cost| cost.name == name);
    let own = of(job.name)?;
    let Some(baseline) = job.baseline else { return Some(own.clone()) };
    let baseline = of(baseline)?;
    Some(Cost {
        name: own.name,
        nanos: own.nanos - baseline.nanos,
        allocations: own.allocations - baseline.allocations,
        bytes: own.bytes - baseline.bytes,
    })
}

/// One line per job: what it adds, what it may add, what we aim at.
#[must_use]
pub fn render(jobs: &[Job], costs: &[Cost]) -> String {
    let mut table = format!(
        "{:<34} {:>12} {:>12} {:>12} {:>9} {:>9}  best rival\n",
        "job", "added", "ceiling", "target", "allocs", "bytes"
    );
    for job in jobs.iter().filter(|job| job.rival_of.is_none()) {
        let Some(cost) = added(job, costs) else { continue };
        let _ = writeln!(
            table,
            "{:<34} {:>9.0} ns {:>12} {:>12} {:>9.1} {:>9.0}  {}",
            job.name,
            cost.nanos,
            limit(job.ceiling),
            limit(job.target),
            cost.allocations,
            cost.bytes,
            rival(job, &cost, jobs, costs)
        );
    }
    table
}

/// The same as a table in Markdown.
#[must_use]
pub fn markdown(jobs: &[Job], costs: &[Cost]) -> String {
    let mut table = "| job | added | ceiling | target | allocations | best rival |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    for job in jobs.iter().filter(|job| job.rival_of.is_none()) {
        let Some(cost) = added(job, costs) else { continue };
        let _ = writeln!(
            table,
            "| {} | {:.0} ns | {} | {} | {:.1} | {} |",
            job.name,
            cost.nanos,
            limit(job.ceiling),
            limit(job.target),
            cost.allocations,
            rival(job, &cost, jobs, costs)
        );
    }
    table
}

/// The cheapest of those that do the same, and how many times as long it takes.
fn rival(ours: &Job, cost: &Cost, jobs: &[Job], costs: &[Cost]) -> String {
    let rivals = jobs.iter().filter(|job| job.rival_of == Some(ours.name));
    let measured = rivals.filter_map(|job| Some((job.name, added(job, costs)?)));
    let best = measured.min_by(|(_, a), (_, b)| a.nanos.total_cmp(&b.nanos));
    best.map_or_else(String::new, |(name, rival)| {
        let name = name.trim_start_matches("rival/");
        format!(
            "{name}: {:.0} ns, {:.1} allocs, x{:.1}",
            rival.nanos,
            rival.allocations,
            rival.nanos / cost.nanos
        )
    })
}

fn limit(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "-".to_owned(), |limit| format!("{} ns", limit.as_nanos()))
}
