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
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_emf::limits::Transport;
/// use obs_emf::lint::{Linter, Metrics};
///
/// let linter = Linter::default()
///     .transport(Transport::Udp)
///     .now(Timestamp::from_unix_millis(1_767_225_600_000));
/// let report = linter.line(r#"{"message":"no metrics here"}"#);
/// assert!(!report.has_metrics && !report.is_rejected());
/// assert_eq!(Metrics::read_with(&linter, "").observations(), 0.0);
/// ```
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
///
/// ```
/// use obs_emf::lint::{Linter, Rule};
///
/// let report = Linter::default().line(r#"{"_aws":7}"#);
/// assert!(report.is_rejected());
/// assert!(report.findings.iter().any(|finding| finding.rule == Rule::E3));
/// assert_eq!((report.points.len(), report.bytes), (0, 10));
/// ```
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
///
/// ```
/// use obs_emf::lint::Metrics;
///
/// let metrics = Metrics::read(concat!(
///     r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"Shop","#,
///     r#""Dimensions":[["Service"]],"Metrics":[{"Name":"Items","Unit":"Count"}]}]},"#,
///     r#""Service":"orders","Items":3}"#,
/// ));
/// let series = &metrics.points().next().expect("one point").series;
/// assert_eq!((series.namespace.as_str(), series.name.as_str()), ("Shop", "Items"));
/// assert_eq!(series.dimensions["Service"], "orders");
/// ```
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
///
/// ```
/// use obs_emf::lint::Metrics;
///
/// let metrics = Metrics::read(concat!(
///     r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"Shop","#,
///     r#""Dimensions":[[]],"Metrics":[{"Name":"Items","Unit":"Count"}]}]},"Items":3}"#,
/// ));
/// let point = metrics.points().next().expect("one point");
/// assert_eq!((point.unit.as_str(), point.resolution), ("Count", 60));
/// assert_eq!(point.values, [(3.0, 1.0)]);
/// ```
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
