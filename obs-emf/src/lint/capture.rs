//! For tests: what metrics did the service write?

use std::collections::BTreeMap;

use super::{LineReport, Linter, Point};

/// The metrics in captured lines.
///
/// ```
/// use obs_emf::lint::{Metrics, assert_metric};
///
/// # let text = concat!(r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"#,
/// #     r#""Shop","Dimensions":[["Service"]],"Metrics":[{"Name":"Latency"}]}]},"#,
/// #     r#""Service":"orders","Latency":[12,18]}"#);
/// let metrics = Metrics::read(text);
/// let latency = assert_metric(&metrics, "Latency", &[("Service", "orders")]);
/// assert_eq!(latency.count(), 2.0);
/// assert!(latency.percentile(99.0) < 20.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    reports: Vec<LineReport>,
}

impl Metrics {
    /// Reads the lines of `text`.
    ///
    /// # Panics
    /// If CloudWatch would reject one of them.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self::read_with(&Linter::default(), text)
    }

    /// Reads the lines of `text`, judged by `linter`.
    ///
    /// ```
    /// use obs_emf::limits::Transport;
    /// use obs_emf::lint::{Linter, Metrics};
    ///
    /// let linter = Linter::default().transport(Transport::Udp);
    /// assert_eq!(Metrics::read_with(&linter, r#"{"message":"hello"}"#).observations(), 0.0);
    /// ```
    ///
    /// # Panics
    /// If `linter` rejects one of them.
    #[must_use]
    pub fn read_with(linter: &Linter, text: &str) -> Self {
        let read = |line: &str| {
            let report = linter.line(line);
            assert!(!report.is_rejected(), "{:?} in {line}", report.findings);
            report
        };
        Self { reports: text.lines().map(read).collect() }
    }

    /// Every data point, in the order of the lines.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.reports.iter().flat_map(|report| &report.points)
    }

    /// The observations of the metric `name` with exactly these dimensions; `None` if there are
    /// none.
    ///
    /// ```
    /// use obs_emf::lint::Metrics;
    ///
    /// let metrics = Metrics::read(r#"{"message":"no metrics here"}"#);
    /// assert!(metrics.find("Items", &[]).is_none());
    /// assert_eq!(metrics.points().count(), 0);
    /// ```
    #[must_use]
    pub fn find(&self, name: &str, dimensions: &[(&str, &str)]) -> Option<Found> {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        let dimensions: BTreeMap<_, _> = dimensions.iter().map(owned).collect();
        let mut values: Vec<(f64, f64)> = self
            .points()
            .filter(|point| point.series.name == name && point.series.dimensions == dimensions)
            .flat_map(|point| point.values.iter().copied())
            .collect();
        values.sort_by(|one, other| one.0.total_cmp(&other.0));
        (!values.is_empty()).then_some(Found { values })
    }

    /// How many observations there are, each counted once however many series it goes into.
    #[must_use]
    pub fn observations(&self) -> f64 {
        let mut sum = 0.0;
        for report in &self.reports {
            let mut names: BTreeMap<&str, f64> = BTreeMap::new();
            for point in &report.points {
                let count = point.values.iter().map(|value| value.1).sum();
                names.insert(&point.series.name, count);
            }
            sum += names.values().sum::<f64>();
        }
        sum
    }
}

/// The observations of a metric with exactly these dimensions.
///
/// ```
/// use obs_emf::lint::{Metrics, assert_metric};
///
/// let metrics = Metrics::read(concat!(
///     r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"Shop","#,
///     r#""Dimensions":[["Service"]],"Metrics":[{"Name":"Items","Unit":"Count"}]}]},"#,
///     r#""Service":"orders","Items":3}"#,
/// ));
/// assert_eq!(assert_metric(&metrics, "Items", &[("Service", "orders")]).sum(), 3.0);
/// ```
///
/// # Panics
/// If there are none; the message lists the series that there are.
#[must_use]
#[track_caller]
pub fn assert_metric(metrics: &Metrics, name: &str, dimensions: &[(&str, &str)]) -> Found {
    metrics.find(name, dimensions).unwrap_or_else(|| {
        let there: Vec<_> =
            metrics.points().map(|point| (&point.series.name, &point.series.dimensions)).collect();
        panic!("no {name} with {dimensions:?} among {there:?}")
    })
}

/// Observations of one series, sorted.
///
/// ```
/// use obs_emf::lint::Metrics;
///
/// let metrics = Metrics::read(concat!(
///     r#"{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"Shop","#,
///     r#""Dimensions":[[]],"Metrics":[{"Name":"Wait","Unit":"Milliseconds"}]}]},"#,
///     r#""Wait":[1.5,40.0]}"#,
/// ));
/// let wait = metrics.find("Wait", &[]).expect("it was written");
/// assert_eq!((wait.count(), wait.sum()), (2.0, 41.5));
/// assert_eq!((wait.min(), wait.max()), (1.5, 40.0));
/// assert_eq!(wait.percentile(99.0), 40.0);
/// assert_eq!(wait.values().len(), 2);
/// assert_eq!((metrics.points().count(), metrics.observations()), (1, 2.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    values: Vec<(f64, f64)>,
}

impl Found {
    /// Each value with its count, in the order of the values.
    #[must_use]
    pub fn values(&self) -> &[(f64, f64)] {
        &self.values
    }

    /// How many there are: CloudWatch's `SampleCount`.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.values.iter().map(|value| value.1).sum()
    }

    /// CloudWatch's `Sum`.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.values.iter().map(|value| value.0 * value.1).sum()
    }

    /// CloudWatch's `Maximum`.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.values.last().map_or(f64::NAN, |value| value.0)
    }

    /// CloudWatch's `Minimum`.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.values.first().map_or(f64::NAN, |value| value.0)
    }

    /// The smallest value that at least `percent` of the observations do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = percent / 100.0 * self.count();
        let mut seen = 0.0;
        for &(value, count) in &self.values {
            seen += count;
            if seen >= rank {
                return value;
            }
        }
        self.max()
    }
}
