//! The figures in the READMEs of the crates are those of `docs/performance.md`.
//!
//! A README names the jobs between two comments, and what stands there is made of the page:
//!
//! ```text
//! <!-- costs: log/event with 4 fields; span/unsampled child -->
//! … a table …
//! <!-- end of costs -->
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::command::{Failure, Outcome};
use crate::workspace::{root, tracked};

const BEGIN: &str = "<!-- costs: ";
const END: &str = "<!-- end of costs -->";

/// Writes the figures of the page into each README.
pub(crate) fn write() -> Outcome {
    let measured = measured(&read(Path::new("docs/performance.md"))?);
    for document in tracked("README.md")? {
        let text = read(&document)?;
        let written = filled(&text, &measured).map_err(|job| {
            Failure::new(format!("{}: no job is named {job}", document.display()))
        })?;
        if written != text {
            fs::write(root().join(&document), written)?;
        }
    }
    Ok(())
}

/// Finds the READMEs that say something else than the page, and the crates that say nothing.
pub(crate) fn check() -> Outcome<Vec<String>> {
    let measured = measured(&read(Path::new("docs/performance.md"))?);
    let mut findings = Vec::new();
    for document in tracked("README.md")? {
        let text = read(&document)?;
        let name = document.display();
        match filled(&text, &measured) {
            Err(job) => findings.push(format!("{name}: no job is named {job}")),
            Ok(written) if written != text => {
                findings.push(format!("{name}: other figures than those of docs/performance.md"));
            }
            Ok(_) => {}
        }
        let is_crate = text.starts_with("# obs-aws-");
        if is_crate && !text.contains(BEGIN) {
            findings.push(format!("{name}: does not say what the crate costs"));
        }
    }
    Ok(findings)
}

fn read(document: &Path) -> Outcome<String> {
    Ok(fs::read_to_string(root().join(document))?)
}

/// What the page says of a job.
struct Cost {
    time: String,
    allocations: String,
}

/// The jobs of the page, from each table that has both columns.
fn measured(page: &str) -> BTreeMap<String, Cost> {
    let mut costs = BTreeMap::new();
    let mut columns = None;
    for line in page.lines() {
        let cells = cells(line);
        let place = |names: [&str; 2]| cells.iter().position(|cell| names.contains(cell));
        match cells.first() {
            None => columns = None,
            Some(&("job" | "job, per run")) => {
                columns = place(["added", "ours ns"]).zip(place(["allocations", "allocs"]));
            }
            Some(job) => {
                let cost = columns.and_then(|(time, allocations)| {
                    let (time, allocations) = (cells.get(time)?, cells.get(allocations)?);
                    let nanos = time.trim_end_matches(" ns");
                    let is_number = nanos.parse::<f64>().is_ok();
                    is_number.then(|| Cost {
                        time: format!("{nanos} ns"),
                        allocations: (*allocations).to_owned(),
                    })
                });
                costs.extend(cost.map(|cost| ((*job).to_owned(), cost)));
            }
        }
    }
    costs
}

/// The cells of a row, which stand between bars or two spaces apart.
fn cells(line: &str) -> Vec<&str> {
    match line.trim().trim_matches('|') {
        line if line.contains('|') => line.split('|').map(str::trim).collect(),
        line => line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect(),
    }
}

/// The text with the figures of the jobs it names.
///
/// # Errors
/// The name of a job that was not measured.
fn filled(text: &str, measured: &BTreeMap<String, Cost>) -> Result<String, String> {
    let Some((before, rest)) = text.split_once(BEGIN) else { return Ok(text.to_owned()) };
    let (Some((jobs, _)), Some((_, after))) = (rest.split_once(" -->"), rest.split_once(END))
    else {
        return Err(format!("what stands between {BEGIN}and {END}"));
    };
    let mut table = "| job | adds | allocations |\n|---|---|---|\n".to_owned();
    for job in jobs.split("; ") {
        let cost = measured.get(job).ok_or(job)?;
        table += &format!("| {job} | {} | {} |\n", cost.time, cost.allocations);
    }
    Ok(format!("{before}{BEGIN}{jobs} -->\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "text\n\n| job | added | ceiling | allocations |\n|---|---|---|---|\n\
        | log/event | 535 ns | - | 0.0 |\n\n| job | instructions |\n|---|---|\n| log/event | 7 |\n";

    #[test]
    fn a_readme_gets_the_figures_of_the_jobs_it_names() {
        let text = "a\n<!-- costs: log/event -->\nold\n<!-- end of costs -->\nb";
        let written = filled(text, &measured(PAGE)).expect("the job is there");
        assert!(written.contains("\n| log/event | 535 ns | 0.0 |\n<!-- end of costs -->\nb"));
        assert!(!written.contains("old"));
        assert_eq!(filled(&written, &measured(PAGE)).as_ref(), Ok(&written));
    }

    #[test]
    fn a_table_of_plain_text_is_read_too() {
        let page = "```text\njob, per run         ours ns    ceiling  allocs  best rival\n\
            health/probe, 10       867      50000    13.0  \n```\n";
        let cost = &measured(page)["health/probe, 10"];
        assert_eq!((cost.time.as_str(), cost.allocations.as_str()), ("867 ns", "13.0"));
    }

    #[test]
    fn a_job_that_nobody_measured_is_told() {
        let text = "<!-- costs: log/other -->\n<!-- end of costs -->";
        assert_eq!(filled(text, &measured(PAGE)), Err("log/other".to_owned()));
    }
}
