//! Judges lines as CloudWatch would, whoever wrote them.
//!
//! Written from the specification and apart from the encoder, so that it can be its judge. It
//! reads the lines of any language's library, says which rule a rejected line breaks, and what
//! series, data points and bytes the accepted ones make.
//!
//! ```
//! use obs_emf::lint::{Linter, Rule};
//!
//! let report = Linter::default().line(r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[
//!     {"Namespace":"Shop","Dimensions":[["Service"]],"Metrics":[{"Name":"Latency"}]}]},
//!     "Service":"orders","Latency":"fast"}"#);
//! assert_eq!(report.findings[0].rule, Rule::E13);
//! assert!(report.points.is_empty());
//! ```

mod capture;
mod extract;
mod json;
mod rule;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use capture::{Found, Metrics, assert_metric};
use json::Json;
use obs_core::clock::Timestamp;
pub use rule::{Finding, Rule, Severity};
pub use summary::Summary;

use crate::limits::Transport;

/// Judges lines.
#[derive(Clone, Debug, Default)]
pub struct Linter {
    transport: Option<Transport>,
    now: Option<Timestamp>,
}

impl Linter {
    /// Judges the length of lines by how they travel. Default: the limit of the API.
    #[must_use]
    pub const fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Judges times against this one. Default: any time is good.
    #[must_use]
    pub const fn now(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// Judges one line, without its line feed.
    #[must_use]
    pub fn line(&self, line: &str) -> LineReport {
        let mut report = LineReport { bytes: line.len() as u64, ..LineReport::default() };
        let longest = self.transport.unwrap_or(Transport::Api).max_line_bytes();
        if line.len() > longest {
            report.find(Rule::E2, format!("{} bytes, at most {longest} arrive", line.len()));
        }
        match json::parse(line) {
            Ok(document) => extract::document(&document, self.now, &mut report),
            Err(error) => report.find(Rule::E1, error),
        }
        if report.is_rejected() {
            report.points.clear();
        }
        report
    }
}

/// What CloudWatch makes of one line.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LineReport {
    /// Whether the line asks for metrics at all; others are ordinary log lines.
    pub has_metrics: bool,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// The data points it makes; none if it is rejected.
    pub points: Vec<Point>,
    /// Its length in bytes.
    pub bytes: u64,
}

impl LineReport {
    /// Whether CloudWatch would take no metric from the line, or not the line at all.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.findings.iter().any(|finding| finding.rule.severity() == Severity::Error)
    }

    fn find(&mut self, rule: Rule, message: impl Into<String>) {
        self.findings.push(Finding { rule, message: message.into() });
    }
}

/// A series: what CloudWatch bills as one metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct SeriesId {
    /// The namespace.
    pub namespace: String,
    /// The name of the metric.
    pub name: String,
    /// The dimensions.
    pub dimensions: BTreeMap<String, String>,
}

/// The values of one series in one line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The series.
    pub series: SeriesId,
    /// The unit; `None` if not given.
    pub unit: String,
    /// 1 or 60 seconds.
    pub resolution: u8,
    /// The time in milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// Each value with how often it was observed.
    pub values: Vec<(f64, f64)>,
}
