use std::fmt;
use std::sync::Arc;

use super::Metric;
use super::compile::{Compiled, Dimension, Parts};

/// What events of one kind have in common: namespace, dimension sets, metrics.
///
/// Compiled once into the bytes of the `_aws` member, so that an event costs two copies and the
/// digits of its time. Cheap to clone.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::metric::Unit;
/// use obs_emf::Shape;
///
/// let shape = Shape::builder("Shop/Orders")
///     .dimension_set(["Service"])
///     .metric(("Latency", Unit::Milliseconds))
///     .build()?;
///
/// let mut line = br#"{"message":"order placed""#.to_vec();
/// shape.encode_tail(&mut line, Timestamp::from_unix_millis(1_767_225_600_000), &["orders"], &[12.5]);
/// line.push(b'}');
/// assert_eq!(
///     String::from_utf8_lossy(&line),
///     concat!(
///         r#"{"message":"order placed","_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"#,
///         r#""Namespace":"Shop/Orders","Dimensions":[["Service"]],"Metrics":[{"Name":"Latency","#,
///         r#""Unit":"Milliseconds"}]}]},"Service":"orders","Latency":12.5}"#,
///     )
/// );
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Shape(pub(crate) Arc<Compiled>);

impl Shape {
    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The metrics, in the order in which values are given.
    #[must_use]
    pub fn metrics(&self) -> &[Metric] {
        &self.0.metrics
    }

    /// The names of the dimensions whose values each event gives, in that order.
    pub fn dimension_names(&self) -> impl Iterator<Item = &str> {
        self.variable_dimensions().map(|dimension| dimension.name.as_str())
    }

    /// The names in each dimension set.
    pub fn dimension_sets(&self) -> impl Iterator<Item = Vec<&str>> {
        self.0
            .sets
            .iter()
            .map(|set| set.iter().map(|&index| self.0.dimensions[index].name.as_str()).collect())
    }

    /// How many series the shape can make, where the bounds of all its dimensions are declared:
    /// for each set the product of its bounds, times the metrics.
    ///
    /// ```
    /// use obs_core::metric::Unit;
    /// use obs_emf::Shape;
    ///
    /// let shape = Shape::builder("Shop")
    ///     .dimension_set(["Channel"])
    ///     .bound("Channel", 3)
    ///     .metric(("Items", Unit::Count))
    ///     .build()?;
    /// assert_eq!((shape.namespace(), shape.metrics().len()), ("Shop", 1));
    /// assert_eq!(shape.dimension_names().collect::<Vec<_>>(), ["Channel"]);
    /// assert_eq!(shape.dimension_sets().count(), 1);
    /// assert_eq!(shape.series_bound(), Some(3));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn series_bound(&self) -> Option<u64> {
        let mut combinations = 0_u64;
        for set in &self.0.sets {
            let mut product = 1_u64;
            for &index in set {
                let dimension = &self.0.dimensions[index];
                let bound = if dimension.constant.is_some() { Some(1) } else { dimension.bound };
                product = product.saturating_mul(bound?);
            }
            combinations = combinations.saturating_add(product);
        }
        Some(combinations.saturating_mul(self.0.metrics.len() as u64))
    }

    /// The same namespace and dimensions for lines of this crate's own, whose metrics are all
    /// given at run time.
    pub(crate) fn for_run_time_metrics(&self) -> Self {
        let compiled = &*self.0;
        let parts = Parts { metrics: Vec::new(), own_lines: true, ..compiled.parts() };
        Self(Arc::new(parts.compile()))
    }

    pub(crate) fn variable_dimensions(&self) -> impl Iterator<Item = &Dimension> {
        self.0.dimensions.iter().filter(|dimension| dimension.constant.is_none())
    }

    /// Whether a member of this name would come twice beside the shape's own.
    pub(crate) fn has_member(&self, name: &str) -> bool {
        self.0.metrics.iter().any(|metric| metric.name == name)
            || self.0.dimensions.iter().any(|dimension| dimension.name == name)
            || self.0.properties.iter().any(|property| property.0 == name)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape")
            .field("namespace", &self.0.namespace)
            .field("dimension_sets", &self.dimension_sets().collect::<Vec<_>>())
            .field("metrics", &self.0.metrics)
            .finish()
    }
}
