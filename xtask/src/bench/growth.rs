//! What one request costs as something grows.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::figures;
use super::plot::{Plot, Series};
use crate::budget;
use crate::command::{Outcome, capture};
use crate::workspace::root;

/// Where the plots are kept, beside the page.
const PLOTS: &str = "docs/performance";

/// Measures every point of every axis.
pub(super) fn measure(program: &Path) -> Outcome {
    let mut points = Vec::new();
    for name in capture(Command::new(program).arg("--growth"))?.lines() {
        let nanos = capture(Command::new(program).args(["--time", name]))?;
        let nanos: f64 = nanos.trim().parse().unwrap_or(f64::NAN);
        let instructions = match budget::is_possible() {
            true => Some(budget::profile(program, name, runs(name))?.instructions.round()),
            false => None,
        };
        eprintln!(
            "xtask: {name}: {nanos:.0} ns, {} instructions",
            instructions.unwrap_or(f64::NAN)
        );
        points.push(json!({ "name": name, "nanos": nanos, "instructions": instructions }));
    }
    figures::write("growth", &Value::Array(points))
}

/// Two numbers of runs that differ by a multiple of the point, for requests that are made at once.
fn runs(name: &str) -> [u32; 2] {
    let point = name.rsplit('/').next().and_then(|point| point.parse().ok()).unwrap_or(1);
    if name.starts_with("concurrent") { [point, point + point.max(1_000)] } else { budget::RUNS }
}

/// The tables of the page; draws the plots beside it.
pub(super) fn section() -> Outcome<String> {
    let axes = axes(&figures::read("growth")?);
    let mut section = "## As something grows\n\n\
        One request, or one check of the limit, as something grows that should not matter or should\n\
        matter in proportion. `chain` is observed and guarded; every request is sampled.\n\n"
        .to_owned();
    fs::create_dir_all(root().join(PLOTS))?;
    for axis in &axes {
        let file = format!("{}.svg", axis.name.replace([' ', '-'], "_"));
        let svg = axis.plot().draw();
        fs::write(root().join(PLOTS).join(&file), svg)?;
        let _ = write!(section, "### {}\n\n{}\n", capital(&axis.name), axis.table());
        let _ = writeln!(section, "![cost by number of {}](performance/{file})\n", axis.name);
    }
    Ok(section)
}

struct Axis {
    name: String,
    points: Vec<String>,
    series: Vec<Measured>,
}

struct Measured {
    name: String,
    nanos: Vec<f64>,
    instructions: Vec<f64>,
}

fn axes(figures: &Value) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for point in figures.as_array().into_iter().flatten() {
        let name = point["name"].as_str().unwrap_or_default();
        let [axis, series, at] = name.split('/').collect::<Vec<_>>()[..] else { continue };
        if axes.last().is_none_or(|last| last.name != axis) {
            axes.push(Axis { name: axis.to_owned(), points: Vec::new(), series: Vec::new() });
        }
        let Some(axis) = axes.last_mut() else { continue };
        if axis.series.last().is_none_or(|last| last.name != series) {
            let name = series.to_owned();
            axis.series.push(Measured { name, nanos: Vec::new(), instructions: Vec::new() });
        }
        if axis.series.len() == 1 {
            axis.points.push(at.to_owned());
        }
        let Some(series) = axis.series.last_mut() else { continue };
        series.nanos.push(point["nanos"].as_f64().unwrap_or(f64::NAN));
        series.instructions.push(point["instructions"].as_f64().unwrap_or(f64::NAN));
    }
    axes
}

impl Axis {
    fn table(&self) -> String {
        let mut table = format!("| {} |", self.name);
        for series in &self.series {
            let _ = write!(table, " {0}: instructions | {0}: ns |", series.name);
        }
        let _ = write!(table, "\n|{}\n", "---|".repeat(1 + 2 * self.series.len()));
        for (at, point) in self.points.iter().enumerate() {
            let _ = write!(table, "| {point} |");
            for series in &self.series {
                let cell = |figures: &[f64]| match figures.get(at) {
                    Some(figure) if figure.is_finite() => format!("{figure:.0}"),
                    _ => "-".to_owned(),
                };
                let _ =
                    write!(table, " {} | {} |", cell(&series.instructions), cell(&series.nanos));
            }
            table.push('\n');
        }
        table
    }

    /// Instructions, which are exact, where they were counted; else time.
    fn plot(&self) -> Plot<'_> {
        let counted =
            self.series.iter().all(|series| series.instructions.iter().all(|i| i.is_finite()));
        let figures = |series: &'_ Measured| {
            if counted { series.instructions.clone() } else { series.nanos.clone() }
        };
        let series = self.series.iter();
        Plot {
            x: &self.name,
            y: if counted { "instructions" } else { "ns" },
            points: &self.points,
            series: series
                .map(|series| Series { name: &series.name, values: figures(series) })
                .collect(),
        }
    }
}

fn capital(name: &str) -> String {
    let mut characters = name.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_gathered_by_axis_and_series() {
        let point = |name: &str, instructions: Option<u32>| json!({ "name": name, "nanos": 1.5, "instructions": instructions });
        let axes = axes(&json!([
            point("routes/bare/1", Some(10)),
            point("routes/bare/9", Some(11)),
            point("routes/observed/1", Some(20)),
            point("routes/observed/9", Some(21)),
            point("keys/check/1", None),
        ]));
        assert_eq!(axes.len(), 2);
        assert_eq!(
            axes[0].table(),
            "| routes | bare: instructions | bare: ns | observed: instructions | observed: ns |\n\
             |---|---|---|---|---|\n\
             | 1 | 10 | 2 | 20 | 2 |\n\
             | 9 | 11 | 2 | 21 | 2 |\n"
        );
        assert_eq!(axes[0].plot().y, "instructions");
        assert_eq!(axes[1].plot().y, "ns");
    }

    #[test]
    fn requests_at_once_are_counted_in_whole_rounds() {
        assert_eq!(runs("concurrent requests/bare/10000"), [10_000, 20_000]);
        assert_eq!(runs("concurrent requests/bare/10"), [10, 1_010]);
        assert_eq!(runs("routes/bare/1000"), budget::RUNS);
    }
}
