use std::sync::Arc;

use obs_core::config::ConfigError;
use obs_core::environment::Environment;
use obs_core::resource::Resource;

use super::compile::{self, Dimension, Parts};
use super::name::{
    dimension_rule, metric_rule, namespace_rule, own_dimension_rule, own_metric_rule, require,
};
use super::{Metric, Shape};
use crate::ledger::Ledger;
use crate::limits::{DIMENSIONS_PER_SET, METRICS_PER_RECORD};
use crate::value::text::clean_dimension;

/// Describes a [`Shape`].
///
/// ```
/// use obs_core::metric::Unit;
/// use obs_emf::{Metric, Resolution, Shape};
///
/// let shape = Shape::builder("Shop")
///     .dimension_set(["Service", "Environment"])
///     .dimension_set(["Service", "Environment", "Channel"])
///     .constant("Service", "orders")
///     .constant("Environment", "prod")
///     .default_value("Channel", "web")
///     .bound("Channel", 3)
///     .property("Version", "1.4.2")
///     .metric(("Placed", Unit::Count))
///     .metric(Metric::new("Wait", Unit::Milliseconds).resolution(Resolution::High))
///     .log_group("/shop/orders")
///     .log_stream("i-1")
///     .build()?;
/// assert_eq!(shape.dimension_names().collect::<Vec<_>>(), ["Channel"]);
/// assert_eq!(shape.series_bound(), Some(2 * (1 + 3)));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ShapeBuilder {
    namespace: String,
    sets: Vec<Vec<String>>,
    constants: Vec<(String, String)>,
    defaults: Vec<(String, String)>,
    properties: Vec<(String, String)>,
    bounds: Vec<(String, u64)>,
    metrics: Vec<Metric>,
    log_group: Option<String>,
    log_stream: Option<String>,
    own_lines: bool,
}

impl Shape {
    /// Starts to describe a shape whose metrics go to `namespace`.
    pub fn builder(namespace: impl Into<String>) -> ShapeBuilder {
        ShapeBuilder::new(namespace.into())
    }
}

impl ShapeBuilder {
    fn new(namespace: String) -> Self {
        Self {
            namespace,
            sets: Vec::new(),
            constants: Vec::new(),
            defaults: Vec::new(),
            properties: Vec::new(),
            bounds: Vec::new(),
            metrics: Vec::new(),
            log_group: None,
            log_stream: None,
            own_lines: false,
        }
    }

    /// Adds a dimension set: CloudWatch makes one series of each metric for each set and each
    /// combination of its values. Without any set the metrics have no dimensions.
    pub fn dimension_set<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.sets.push(names.into_iter().map(Into::into).collect());
        self
    }

    /// Gives a dimension the same value in all events; events do not name it then.
    ///
    /// A value that CloudWatch would refuse is cleaned as in events.
    pub fn constant(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.constants.push((name.into(), value.into()));
        self
    }

    /// Gives a dimension a value for events that name none, in place of `__empty__`.
    ///
    /// A value that CloudWatch would refuse is cleaned as in events.
    pub fn default_value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.defaults.push((name.into(), value.into()));
        self
    }

    /// Adds a member of the line that is the same in all events and makes no series, such as the
    /// version of the service.
    ///
    /// Named as dimensions are, and not as one of them. What differs from event to event is a
    /// [field](crate::Record::fields) of the record.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Adds the [members](Resource::entity_members) by which CloudWatch links the metrics to what
    /// the service runs on, as properties. The service itself is linked by the dimensions `Service`
    /// and `Environment`.
    ///
    /// ```
    /// use obs_core::environment::Environment;
    /// use obs_core::metric::Unit;
    /// use obs_core::resource::Resource;
    /// use obs_emf::Shape;
    ///
    /// let shape = Shape::builder("Shop")
    ///     .from_environment(&Environment::from_iter([("AWS_EMF_LOG_GROUP_NAME", "/shop")]))
    ///     .entity(&Resource::empty().with("service.name", "orders"))
    ///     .dimension_set(["Service"])
    ///     .metric(("Placed", Unit::Count))
    ///     .build()?;
    /// assert_eq!(shape.dimension_sets().collect::<Vec<_>>(), [["Service"]]);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn entity(mut self, resource: &Resource) -> Self {
        for (name, value) in resource.entity_members() {
            self.properties.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Declares how many values a dimension takes at most, for [`Shape::series_bound`].
    pub fn bound(mut self, name: impl Into<String>, values: u64) -> Self {
        self.bounds.push((name.into(), values));
        self
    }

    /// Adds a metric.
    pub fn metric(mut self, metric: impl Into<Metric>) -> Self {
        self.metrics.push(metric.into());
        self
    }

    /// The log group into which the CloudWatch agent puts the lines; 1 to 512 characters. Default:
    /// the agent's own.
    pub fn log_group(mut self, name: impl Into<String>) -> Self {
        self.log_group = Some(name.into());
        self
    }

    /// The log stream into which the CloudWatch agent puts the lines; 1 to 512 characters. Default:
    /// the agent's own.
    pub fn log_stream(mut self, name: impl Into<String>) -> Self {
        self.log_stream = Some(name.into());
        self
    }

    /// Reads `AWS_EMF_LOG_GROUP_NAME` and `AWS_EMF_LOG_STREAM_NAME`; names set in code stay.
    pub fn from_environment(mut self, environment: &Environment) -> Self {
        let read = |name| environment.get(name).map(str::to_owned);
        self.log_group = self.log_group.or_else(|| read("AWS_EMF_LOG_GROUP_NAME"));
        self.log_stream = self.log_stream.or_else(|| read("AWS_EMF_LOG_STREAM_NAME"));
        self
    }

    /// Says that no line of this shape has fields of the user's: names in `snake_case` are good
    /// then, and so is a shape whose metrics are all given at run time.
    pub(crate) const fn own_lines(mut self) -> Self {
        self.own_lines = true;
        self
    }

    /// Checks the declaration and compiles it.
    ///
    /// # Errors
    /// [`ConfigError`] names the field, the value and the rule: a name that CloudWatch refuses or
    /// that stands for something else, a name given twice, more than 30 dimensions in a set, no
    /// metric or more than 100, a constant, default or bound for a dimension that is in no set.
    pub fn build(self) -> Result<Shape, ConfigError> {
        require("namespace", &self.namespace, namespace_rule)?;
        for (field, name) in [("log_group", &self.log_group), ("log_stream", &self.log_stream)] {
            if let Some(name) = name {
                require(field, name, log_name_rule)?;
            }
        }
        let sets = if self.sets.is_empty() { vec![Vec::new()] } else { self.sets.clone() };
        let rule = if self.own_lines { own_dimension_rule } else { dimension_rule };
        let mut dimensions = collect_dimensions(&sets, rule)?;
        self.apply_constants(&mut dimensions)?;
        self.apply_defaults(&mut dimensions)?;
        self.apply_bounds(&mut dimensions)?;
        self.check_metrics(&dimensions)?;
        self.check_properties(&dimensions, rule)?;
        let sets = index_sets(&sets, &dimensions);
        let head = compile::head(self.log_group.as_deref(), self.log_stream.as_deref());
        let parts = Parts {
            namespace: self.namespace,
            dimensions,
            sets,
            metrics: self.metrics,
            properties: self.properties,
            head,
            own_lines: self.own_lines,
        };
        Ok(Shape(Arc::new(parts.compile())))
    }

    fn apply_constants(&self, dimensions: &mut [Dimension]) -> Result<(), ConfigError> {
        for (name, value) in &self.constants {
            let dimension = find("constant", dimensions, name)?;
            dimension.constant = Some(clean_dimension(value, &mut Ledger::default()));
        }
        Ok(())
    }

    fn apply_defaults(&self, dimensions: &mut [Dimension]) -> Result<(), ConfigError> {
        for (name, value) in &self.defaults {
            let dimension = find("default_value", dimensions, name)?;
            dimension.default = Some(clean_dimension(value, &mut Ledger::default()));
        }
        Ok(())
    }

    fn apply_bounds(&self, dimensions: &mut [Dimension]) -> Result<(), ConfigError> {
        for &(ref name, values) in &self.bounds {
            if values == 0 {
                return Err(ConfigError::new("bound", name, "must be at least 1"));
            }
            find("bound", dimensions, name)?.bound = Some(values);
        }
        Ok(())
    }

    fn check_metrics(&self, dimensions: &[Dimension]) -> Result<(), ConfigError> {
        let count = self.metrics.len();
        let least = usize::from(!self.own_lines);
        if count < least || count > METRICS_PER_RECORD {
            return Err(ConfigError::new("metrics", count, "must be between 1 and 100"));
        }
        let rule = if self.own_lines { own_metric_rule } else { metric_rule };
        for (index, metric) in self.metrics.iter().enumerate() {
            require("metric", &metric.name, rule)?;
            if self.metrics[..index].iter().any(|other| other.name == metric.name) {
                return Err(ConfigError::new("metric", &metric.name, "must be declared once"));
            }
            if dimensions.iter().any(|dimension| dimension.name == metric.name) {
                let rule = "must not be the name of a dimension";
                return Err(ConfigError::new("metric", &metric.name, rule));
            }
        }
        Ok(())
    }

    fn check_properties(
        &self,
        dimensions: &[Dimension],
        rule: fn(&str) -> Option<&'static str>,
    ) -> Result<(), ConfigError> {
        for (index, (name, _)) in self.properties.iter().enumerate() {
            require("property", name, rule)?;
            let is_taken = self.properties[..index].iter().any(|other| other.0 == *name)
                || self.metrics.iter().any(|metric| metric.name == *name)
                || dimensions.iter().any(|dimension| dimension.name == *name);
            if is_taken {
                let rule = "must not be the name of anything else";
                return Err(ConfigError::new("property", name, rule));
            }
        }
        Ok(())
    }
}

fn collect_dimensions(
    sets: &[Vec<String>],
    rule: fn(&str) -> Option<&'static str>,
) -> Result<Vec<Dimension>, ConfigError> {
    let mut dimensions: Vec<Dimension> = Vec::new();
    for (at, set) in sets.iter().enumerate() {
        if set.len() > DIMENSIONS_PER_SET {
            let rule = "must have at most 30 dimensions";
            return Err(ConfigError::new("dimension_set", set.join(", "), rule));
        }
        if sets[..at].iter().any(|other| same_members(other, set)) {
            let rule = "must be declared once, for each set counts";
            return Err(ConfigError::new("dimension_set", set.join(", "), rule));
        }
        for (at, name) in set.iter().enumerate() {
            require("dimension", name, rule)?;
            if set[..at].contains(name) {
                return Err(ConfigError::new("dimension", name, "must be in a set once"));
            }
            if !dimensions.iter().any(|dimension| dimension.name == *name) {
                let name = name.clone();
                let key = compile::key(&name);
                dimensions.push(Dimension {
                    name,
                    constant: None,
                    default: None,
                    bound: None,
                    key,
                });
            }
        }
    }
    Ok(dimensions)
}

fn same_members(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

fn index_sets(sets: &[Vec<String>], dimensions: &[Dimension]) -> Vec<Vec<usize>> {
    let index = |name: &String| dimensions.iter().position(|dimension| dimension.name == *name);
    sets.iter().map(|set| set.iter().filter_map(index).collect()).collect()
}

fn find<'a>(
    field: &'static str,
    dimensions: &'a mut [Dimension],
    name: &str,
) -> Result<&'a mut Dimension, ConfigError> {
    dimensions
        .iter_mut()
        .find(|dimension| dimension.name == name)
        .ok_or_else(|| ConfigError::new(field, name, "must be a dimension of one of the sets"))
}

fn log_name_rule(name: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/#$[]@:=,-".contains(&byte);
    let good = (1..=512).contains(&name.len()) && name.bytes().all(allowed);
    (!good).then_some("must be 1 to 512 letters, digits or ._/#$[]@:=,-")
}
