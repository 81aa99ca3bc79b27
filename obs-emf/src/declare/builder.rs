use std::sync::Arc;

use obs_core::config::ConfigError;

use super::name::{
    dimension_rule, metric_rule, namespace_rule, own_dimension_rule, own_metric_rule, require,
};
use super::shape::{Compiled, Dimension};
use super::{Metric, Resolution, Shape};
use crate::encode::text::{clean_dimension, write_json};
use crate::ledger::Ledger;
use crate::limits::{DIMENSIONS_PER_SET, METRICS_PER_RECORD};

/// Describes a [`Shape`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ShapeBuilder {
    namespace: String,
    sets: Vec<Vec<String>>,
    constants: Vec<(String, String)>,
    bounds: Vec<(String, u64)>,
    metrics: Vec<Metric>,
    log_group: Option<String>,
    log_stream: Option<String>,
    own_lines: bool,
}

impl ShapeBuilder {
    pub(super) fn new(namespace: String) -> Self {
        Self {
            namespace,
            sets: Vec::new(),
            constants: Vec::new(),
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

    /// The log group into which the CloudWatch agent puts the lines; 1 to 512 characters.
    pub fn log_group(mut self, name: impl Into<String>) -> Self {
        self.log_group = Some(name.into());
        self
    }

    /// The log stream into which the CloudWatch agent puts the lines; 1 to 512 characters.
    pub fn log_stream(mut self, name: impl Into<String>) -> Self {
        self.log_stream = Some(name.into());
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
    /// metric or more than 100, a constant or bound for a dimension that is in no set.
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
        self.apply_bounds(&mut dimensions)?;
        self.check_metrics(&dimensions)?;
        let sets = index_sets(&sets, &dimensions);
        Ok(Shape(Arc::new(self.compile(dimensions, sets))))
    }

    fn apply_constants(&self, dimensions: &mut [Dimension]) -> Result<(), ConfigError> {
        for (name, value) in &self.constants {
            let dimension = find("constant", dimensions, name)?;
            dimension.constant = Some(clean_dimension(value, &mut Ledger::default()));
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

    fn compile(self, dimensions: Vec<Dimension>, sets: Vec<Vec<usize>>) -> Compiled {
        let definitions: Vec<_> = self.metrics.iter().map(definition).collect();
        let directive = self.directive(&dimensions, &sets);
        let mut body = directive.clone();
        for (index, definition) in definitions.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(definition);
        }
        let mut constants = Vec::new();
        for dimension in &dimensions {
            if let Some(value) = &dimension.constant {
                constants.extend_from_slice(&dimension.key);
                write_json(&mut constants, value);
            }
        }
        let metric_keys: Vec<_> = self.metrics.iter().map(|metric| key(&metric.name)).collect();
        let head = self.head();
        let keys = dimensions.iter().map(|dimension| dimension.key.len() + 2);
        let values = metric_keys.iter().map(|key| key.len() + NUMBER_LENGTH);
        let fixed_length = head.len()
            + body.len()
            + constants.len()
            + keys.sum::<usize>()
            + values.sum::<usize>()
            + 64;
        Compiled {
            namespace: self.namespace,
            sets,
            metrics: self.metrics,
            head,
            body: body.into_boxed_slice(),
            directive_length: directive.len(),
            definitions,
            own_lines: self.own_lines,
            constants: constants.into_boxed_slice(),
            metric_keys,
            dimensions,
            fixed_length,
        }
    }

    fn head(&self) -> Box<[u8]> {
        let mut head = br#","_aws":{"#.to_vec();
        for (name, value) in
            [("LogGroupName", &self.log_group), ("LogStreamName", &self.log_stream)]
        {
            if let Some(value) = value {
                write_json(&mut head, name);
                head.push(b':');
                write_json(&mut head, value);
                head.push(b',');
            }
        }
        head.extend_from_slice(br#""Timestamp":"#);
        head.into_boxed_slice()
    }

    fn directive(&self, dimensions: &[Dimension], sets: &[Vec<usize>]) -> Vec<u8> {
        let mut out = br#","CloudWatchMetrics":[{"Namespace":"#.to_vec();
        write_json(&mut out, &self.namespace);
        out.extend_from_slice(br#","Dimensions":["#);
        for (at, set) in sets.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
            for (at, &index) in set.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_json(&mut out, &dimensions[index].name);
            }
            out.push(b']');
        }
        out.extend_from_slice(br#"],"Metrics":["#);
        out
    }
}

/// The most bytes of a number as this crate writes it.
pub(crate) const NUMBER_LENGTH: usize = 25;

/// One member of `Metrics`.
pub(crate) fn definition(metric: &Metric) -> Box<[u8]> {
    let mut out = Vec::new();
    write_definition(&mut out, &metric.name, metric.unit, metric.resolution);
    out.into_boxed_slice()
}

pub(crate) fn write_definition(
    out: &mut Vec<u8>,
    name: &str,
    unit: obs_core::metric::Unit,
    resolution: Resolution,
) {
    out.extend_from_slice(br#"{"Name":"#);
    write_json(out, name);
    out.extend_from_slice(br#","Unit":""#);
    out.extend_from_slice(unit.as_str().as_bytes());
    out.push(b'"');
    if resolution == Resolution::High {
        out.extend_from_slice(br#","StorageResolution":1"#);
    }
    out.push(b'}');
}

/// `,"name":`
pub(crate) fn key(name: &str) -> Box<[u8]> {
    let mut out = vec![b','];
    write_json(&mut out, name);
    out.push(b':');
    out.into_boxed_slice()
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
                let key = key(&name);
                dimensions.push(Dimension { name, constant: None, bound: None, key });
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
