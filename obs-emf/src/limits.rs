//! The limits of CloudWatch and of the ways a line can travel.
//!
//! Sources: the
//! [EMF specification](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html),
//! [`MetricDatum`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html),
//! [`Dimension`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html)
//! and [`PutMetricData`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html).
//! Where the specification of the format and the metrics API disagree, the narrower limit counts,
//! because both have to accept the metric.
//!
//! ```
//! use obs_emf::limits::Transport;
//!
//! // And its line feed.
//! assert_eq!(Transport::ContainerStdout.max_line_bytes(), 16_383);
//! ```

use std::time::Duration;

/// Metric definitions in one directive.
pub const METRICS_PER_RECORD: usize = 100;

/// Values of one metric in one record.
pub const VALUES_PER_METRIC: usize = 100;

/// Dimensions in one dimension set.
pub const DIMENSIONS_PER_SET: usize = 30;

/// Characters of a dimension's name: 250 in the format, 255 in the API.
pub const DIMENSION_NAME_LENGTH: usize = 250;

/// Characters of a dimension's value.
pub const DIMENSION_VALUE_LENGTH: usize = 1024;

/// Characters of a metric's name: 1024 in the format, 255 in the API.
pub const METRIC_NAME_LENGTH: usize = 255;

/// Characters of a namespace: 1024 in the format, 255 in the API.
pub const NAMESPACE_LENGTH: usize = 255;

/// How old a metric may be when it arrives.
pub const OLDEST: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How far ahead of the server's clock a metric may be when it arrives.
pub const NEWEST: Duration = Duration::from_secs(2 * 60 * 60);

/// Metrics in one call of `PutMetricData`.
pub const DATA_PER_CALL: usize = 1_000;

/// Distinct values of one datum of `PutMetricData`.
pub const VALUES_PER_DATUM: usize = 150;

/// Bytes of the body of one call of `PutMetricData`.
pub const BYTES_PER_CALL: usize = 1024 * 1024;

/// The largest magnitude of a value, 2^360.
pub const LARGEST_VALUE: f64 = power_of_two(360);

/// The smallest magnitude of a value other than 0, 2^-360.
pub const SMALLEST_VALUE: f64 = power_of_two(-360);

const fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// How a line travels, which bounds its length.
///
/// A record that would make a longer line is split into several, with all its counts.
///
/// ```
/// use obs_emf::limits::Transport;
///
/// assert!(Transport::ContainerStdout.max_line_bytes() < Transport::Agent.max_line_bytes());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Transport {
    /// Standard output that a container runtime reads: 16 KiB.
    ///
    /// Docker and containerd cut longer lines, and not every log path joins the pieces again
    /// ([moby#41794](https://github.com/moby/moby/pull/41794)).
    #[default]
    ContainerStdout,
    /// One UDP datagram for the CloudWatch agent: 60 KiB, below the 64 KiB that IP allows.
    Udp,
    /// TCP to the CloudWatch agent, or a log driver with its old limit: 256 KiB less the 26 bytes
    /// that each log event costs.
    Agent,
    /// `PutLogEvents`, and Lambda's standard output: 1 MiB less those 26 bytes.
    Api,
}

impl Transport {
    /// The most bytes of a line, its line feed not counted.
    #[must_use]
    pub const fn max_line_bytes(self) -> usize {
        match self {
            Self::ContainerStdout => 16 * 1024 - 1,
            Self::Udp => 60 * 1024,
            Self::Agent => 256 * 1024 - 26,
            Self::Api => 1024 * 1024 - 26,
        }
    }
}
