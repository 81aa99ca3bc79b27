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
        quickest: own.quickest - baseline.quickest,
        allocations: own.allocations - baseline.allocations,
        bytes: own.bytes - baseline.bytes,
        written: own.written.zip(baseline.written).map(|(own, base)| own - base),
        background: own.background.zip(baseline.background).map(|(own, base)| own - base),
    })
}

/// The cheapest of those that do what `ours` does, by time, and what it costs.
#[must_use]
pub fn best_rival<'a>(ours: &Job, jobs: &'a [Job], costs: &[Cost]) -> Option<(&'a Job, Cost)> {
    let rivals = jobs.iter().filter(|job| job.rival_of == Some(ours.name));
    let measured = rivals.filter_map(|job| Some((job, added(job, costs)?)));
    measured.min_by(|(_, a), (_, b)| a.nanos.total_cmp(&b.nanos))
}

/// One line per job of ours: what it adds, what it may add, what we aim at, and who else does it.
#[must_use]
pub fn render(jobs: &[Job], costs: &[Cost]) -> String {
    let mut table = format!(
        "{:<38} {:>10} {:>10} {:>9} {:>7} {:>7} {:>8} {:>9} {:>6}  best rival\n",
        "job, per run",
        "ours ns",
        "ceiling",
        "target",
        "allocs",
        "bytes",
        "written",
        "behind ns",
        "ratio",
    );
    for job in jobs.iter().filter(|job| job.rival_of.is_none()) {
        let Some(cost) = added(job, costs) else { continue };
        let rival = best_rival(job, jobs, costs);
        let ratio = rival.as_ref().map(|(_, rival)| rival.nanos / cost.nanos);
        let _ = writeln!(
            table,
            "{:<38} {:>10.0} {:>10} {:>9} {:>7.1} {:>7.0} {:>8} {:>9} {:>6}  {}",
            job.name,
            cost.nanos,
            limit(job.ceiling),
            limit(job.target),
            cost.allocations,
            cost.bytes,
            cost.written.map_or_else(dash, |bytes| format!("{bytes:.0}")),
            cost.background.map_or_else(dash, |nanos| format!("{nanos:.0}")),
            ratio.map_or_else(dash, |ratio| format!("{ratio:.1}")),
            rival.map_or_else(String::new, |(rival, cost)| {
                let name = rival.name.trim_start_matches("rival/");
                format!("{name}: {:.0} ns, {:.1} allocs", cost.nanos, cost.allocations)
            })
        );
    }
    table
}

fn limit(limit: Option<Duration>) -> String {
    limit.map_or_else(dash, |limit| limit.as_nanos().to_string())
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(name: &'static str, nanos: f64) -> Cost {
        let (allocations, bytes, written) = (1.0, 10.0, Some(100.0));
        Cost { name, nanos, quickest: nanos, allocations, bytes, written, background: None }
    }

    fn job(name: &'static str) -> Job {
        Job::new(name, || |_| ())
    }

    #[test]
    fn the_best_rival_is_the_fastest_and_stands_in_the_row_of_ours() {
        let jobs = [
            job("base"),
            job("ours").beyond("base").within(10_000, 60),
            job("rival/slow").beyond("base").instead_of("ours"),
            job("rival/quick").beyond("base").instead_of("ours"),
        ];
        let costs = [
            cost("base", 50.0),
            cost("ours", 100.0),
            cost("rival/slow", 950.0),
            cost("rival/quick", 200.0),
        ];
        let table = render(&jobs, &costs);
        let row = table.lines().find(|line| line.starts_with("ours")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells[..4], ["ours", "50", "10000", "60"]);
        assert!(row.ends_with("3.0  quick: 150 ns, 0.0 allocs"), "{row}");
        assert!(!table.contains("slow"));
    }

    #[test]
    fn a_job_that_was_not_measured_has_no_row() {
        let jobs = [job("measured"), job("filtered out"), job("beyond it").beyond("filtered out")];
        let table = render(&jobs, &[cost("measured", 1.0), cost("beyond it", 2.0)]);
        assert_eq!(table.lines().count(), 2);
    }
}
