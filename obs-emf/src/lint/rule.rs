use std::fmt;

/// A rule of the format.
///
/// ```
/// use obs_emf::lint::{Rule, Severity};
///
/// assert_eq!(Rule::E3.severity(), Severity::Error);
/// assert_eq!(Rule::E3.as_str(), "_aws is an object with CloudWatchMetrics and Timestamp");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// A line is exactly one JSON object.
    E1,
    /// A line is no longer than its transport allows.
    E2,
    /// `_aws` is an object with `CloudWatchMetrics`, an array, and `Timestamp`.
    E3,
    /// `Timestamp` is an integer of milliseconds, from two weeks ago to two hours ahead.
    E4,
    /// A directive has `Namespace`, `Dimensions` and `Metrics`.
    E5,
    /// A namespace has 1 to 255 printable characters and is not one of AWS's.
    E6,
    /// There is at least one dimension set.
    E7,
    /// A set has at most 30 dimensions with good names.
    E8,
    /// A dimension is a member of the root: a string of 1 to 1024 printable characters.
    E9,
    /// No dimension set comes twice.
    E10,
    /// A directive defines at most 100 metrics.
    E11,
    /// A metric's name has 1 to 255 printable characters.
    E12,
    /// A metric is a number or an array of at most 100 numbers.
    E13,
    /// `Values` and `Counts` are equally long, with at most 100 numbers.
    E14,
    /// A number is 0 or has a magnitude from 2^-360 to 2^360.
    E15,
    /// A defined metric is a member of the root.
    E16,
    /// A unit is one of CloudWatch's.
    E17,
    /// A storage resolution is 1 or 60, and one for each metric.
    E18,
    /// No member comes twice, and none is both dimension and metric.
    E19,
    /// At most 200 fields come before the last one that is no metric value.
    E21,
}

/// What breaking a rule costs.
///
/// ```
/// use obs_emf::lint::{Linter, Severity};
///
/// let report = Linter::default().line("not JSON");
/// assert!(report.findings.iter().any(|finding| finding.rule.severity() == Severity::Error));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Money or clarity.
    Warning,
    /// The metrics of the line.
    Error,
}

impl Rule {
    /// What breaking the rule costs.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::E10 | Self::E21 => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The rule in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::E1 => "a line is exactly one JSON object",
            Self::E2 => "a line is no longer than its transport allows",
            Self::E3 => "_aws is an object with CloudWatchMetrics and Timestamp",
            Self::E4 => "Timestamp is a recent integer of milliseconds",
            Self::E5 => "a directive has Namespace, Dimensions and Metrics",
            Self::E6 => "a namespace has 1 to 255 printable characters and is not AWS's",
            Self::E7 => "there is at least one dimension set",
            Self::E8 => "a set has at most 30 dimensions with good names",
            Self::E9 => "a dimension is a string of 1 to 1024 printable characters in the root",
            Self::E10 => "no dimension set comes twice",
            Self::E11 => "a directive defines at most 100 metrics",
            Self::E12 => "a metric's name has 1 to 255 printable characters",
            Self::E13 => "a metric is a number or an array of at most 100 numbers",
            Self::E14 => "Values and Counts are equally long, with at most 100 numbers",
            Self::E15 => "a number is 0 or has a magnitude from 2^-360 to 2^360",
            Self::E16 => "a defined metric is a member of the root",
            Self::E17 => "a unit is one of CloudWatch's",
            Self::E18 => "a storage resolution is 1 or 60, and one for each metric",
            Self::E19 => "no member comes twice or is both dimension and metric",
            Self::E21 => "Logs Insights finds the first 200 fields only",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}, {}", self.as_str())
    }
}

/// A rule that a line breaks.
///
/// ```
/// use obs_emf::lint::{Linter, Rule};
///
/// let report = Linter::default().line("not JSON");
/// assert_eq!(report.findings[0].rule, Rule::E1);
/// assert!(!report.findings[0].message.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Where and how.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)
    }
}
