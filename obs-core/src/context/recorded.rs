use std::borrow::Cow;
use std::sync::LazyLock;

use crate::log::Fields;
use crate::metric::Descriptor;
use crate::trace::{Attributes, Metadata};

/// The most values of one request's metrics that are kept, as many as one EMF metric may have
/// ([specification](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html)).
const MAX_METRICS: usize = 100;

/// What handlers recorded about their request.
///
/// ```
/// use obs_core::context::{Recorded, RequestContext};
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// request.record("items", 3_u64);
/// let recorded = request.take_recorded().expect("something was recorded");
/// assert_eq!(recorded.fields.as_json(), br#","items":3"#);
/// assert!(Recorded::nothing().fields.is_empty());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recorded {
    /// Fields for the request line.
    pub fields: Fields,
    /// Values of request metrics, in the order they came.
    pub metrics: Vec<(&'static Descriptor, f64)>,
    /// Annotations for the request's span.
    pub annotations: Attributes,
    /// Metadata for the request's span.
    pub metadata: Vec<Metadata>,
    /// What went wrong.
    pub error_kind: Option<Cow<'static, str>>,
}

impl Recorded {
    /// What a handler that recorded nothing left.
    #[must_use]
    pub fn nothing() -> &'static Self {
        static NOTHING: LazyLock<Recorded> = LazyLock::new(Recorded::default);
        &NOTHING
    }

    pub(super) fn add_metadata(&mut self, piece: Metadata) {
        piece.set_in(&mut self.metadata);
    }

    pub(super) fn add_metric(&mut self, metric: &'static Descriptor, value: f64) {
        if value.is_finite() && self.metrics.len() < MAX_METRICS {
            self.metrics.push((metric, value));
        }
    }
}
