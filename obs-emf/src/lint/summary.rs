use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{LineReport, Rule, SeriesId, Severity};

/// What many lines come to.
///
/// ```
/// use obs_emf::lint::{Linter, Summary};
///
/// let (linter, mut summary) = (Linter::default(), Summary::default());
/// for line in [r#"{"message":"hello"}"#, "not JSON"] {
///     summary.add(&linter.line(line));
/// }
/// assert_eq!((summary.lines, summary.rejected), (2, 1));
/// assert!(summary.series().is_empty() && summary.dimension_values().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Lines read.
    pub lines: u64,
    /// Lines that ask for metrics.
    pub metric_lines: u64,
    /// Lines whose metrics would be lost.
    pub rejected: u64,
    /// Bytes of all lines, which CloudWatch Logs bills.
    pub bytes: u64,
    /// Observations, counted once for each series they go into.
    pub points: f64,
    /// How often each rule was broken.
    pub broken: BTreeMap<Rule, u64>,
    series: BTreeSet<SeriesId>,
}

impl Summary {
    /// Adds a line.
    pub fn add(&mut self, report: &LineReport) {
        self.lines += 1;
        self.metric_lines += u64::from(report.has_metrics);
        self.rejected += u64::from(report.is_rejected());
        self.bytes += report.bytes;
        for finding in &report.findings {
            *self.broken.entry(finding.rule).or_default() += 1;
        }
        for point in &report.points {
            self.points += point.values.iter().map(|value| value.1).sum::<f64>();
            if !self.series.contains(&point.series) {
                self.series.insert(point.series.clone());
            }
        }
    }

    /// The series, each of which CloudWatch bills by the hour.
    #[must_use]
    pub const fn series(&self) -> &BTreeSet<SeriesId> {
        &self.series
    }

    /// How many values each dimension of each metric took, the most first.
    #[must_use]
    pub fn dimension_values(&self) -> Vec<(String, String, usize)> {
        let mut values: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for series in &self.series {
            for (dimension, value) in &series.dimensions {
                values.entry((&series.name, dimension)).or_default().insert(value);
            }
        }
        let mut counts: Vec<_> = values
            .into_iter()
            .map(|((name, dimension), values)| {
                (name.to_owned(), dimension.to_owned(), values.len())
            })
            .collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.2));
        counts
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} lines, {} bytes; {} with metrics, {} rejected; {} series, {} data points",
            self.lines,
            self.bytes,
            self.metric_lines,
            self.rejected,
            self.series.len(),
            self.points,
        )?;
        for (rule, times) in &self.broken {
            let severity = match rule.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            writeln!(f, "{severity}: {times} x {rule}")?;
        }
        for (metric, dimension, values) in self.dimension_values().into_iter().take(10) {
            writeln!(f, "{values} values of {dimension} in {metric}")?;
        }
        Ok(())
    }
}
