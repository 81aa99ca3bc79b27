//! Dashboards, alarms and queries from declarations.
//!
//! What a service declares is enough to watch it: [`Watch`] makes a dashboard with the service's
//! objectives as target lines, alarms in two tiers with burn rates, and saved Logs Insights
//! queries, as one CloudFormation template. [`check`] holds a dashboard against the declarations.
//!
//! ```
//! use obs_emf::dashboard::{Watch, check};
//! use obs_emf::request::RequestMetrics;
//!
//! let metrics = RequestMetrics::builder("orders", "prod").build()?;
//! let watch = Watch::new(&metrics, "orders", "prod").availability(99.9).latency(250.0, 99.0);
//! let body = watch.dashboard();
//! assert_eq!(check(&body, &[metrics.shape()]), []);
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod alarm;
mod body;
mod check;
mod query;
#[cfg(test)]
mod tests;
mod tier;

use serde_json::{Value, json};

pub use check::{Problem, check};

use tier::Tier;

use crate::declare::Shape;
use crate::request::RequestMetrics;

/// Where the metrics about metrics are: data points lost, by this crate's own account.
pub use crate::aggregate::DROPPED;

/// A service with its objectives.
///
/// ```
/// use obs_core::metric::Unit;
/// use obs_emf::Shape;
/// use obs_emf::dashboard::Watch;
/// use obs_emf::request::RequestMetrics;
///
/// let metrics = RequestMetrics::builder("orders", "prod").namespace("Shop").build()?;
/// let placed = Shape::builder("Shop").dimension_set([""; 0]).metric(("Placed", Unit::Count)).build()?;
/// let watch = Watch::new(&metrics, "orders", "prod")
///     .place("eu-central-1", "123456789012")
///     .events(&placed)
///     .availability(99.9)
///     .latency(250.0, 99.0)
///     .log_group("/ecs/orders")
///     .resource("AWS/ECS", "CPUUtilization", [("ServiceName", "orders"), ("ClusterName", "prod")]);
/// assert!(watch.dashboard()["widgets"].is_array());
/// assert!(watch.template()["Resources"].is_object());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Watch {
    namespace: String,
    service: String,
    environment: String,
    /// Percent of requests without a fault.
    availability: f64,
    /// Milliseconds, and the percentile that must stay below.
    latency: (f64, f64),
    log_group: Option<String>,
    resources: Vec<Resource>,
    place: Place,
    shapes: Vec<Shape>,
}

/// Where the service runs, as its dashboard and the names of its alarms say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    partition: String,
    region: String,
    account: String,
}

/// Parameters that CloudFormation fills in.
impl Default for Place {
    fn default() -> Self {
        Self::between("${", "}")
    }
}

/// What stands around a parameter until everything else has been escaped: characters for private
/// use, which are in no name.
const MARKS: [&str; 2] = ["\u{e000}", "\u{e001}"];

impl Place {
    fn between(open: &str, close: &str) -> Self {
        let parameter = |name| format!("{open}AWS::{name}{close}");
        Self {
            partition: parameter("Partition"),
            region: parameter("Region"),
            account: parameter("AccountId"),
        }
    }
}

/// A metric of AWS's about what the service runs on.
#[derive(Clone, Debug)]
struct Resource {
    namespace: String,
    metric: String,
    dimensions: Vec<(String, String)>,
}

impl Watch {
    /// Watches the request metrics of a service; 99.9 % available, p99 below 1 s.
    pub fn new(
        metrics: &RequestMetrics,
        service: impl Into<String>,
        environment: impl Into<String>,
    ) -> Self {
        Self {
            namespace: metrics.shape().namespace().to_owned(),
            service: service.into(),
            environment: environment.into(),
            availability: 99.9,
            latency: (1_000.0, 99.0),
            log_group: None,
            resources: Vec::new(),
            place: Place::default(),
            shapes: Vec::new(),
        }
    }

    /// Names the region and the account, for a dashboard that goes out by other ways than the
    /// template. Default: `${AWS::Region}` and `${AWS::AccountId}`, which CloudFormation fills in
    /// where the template is deployed.
    pub fn place(mut self, region: impl Into<String>, account: impl Into<String>) -> Self {
        let region = region.into();
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let partition = partition.to_owned();
        self.place = Place { partition, region, account: account.into() };
        self
    }

    /// Adds a graph for each metric of a declaration of the service's own, by its first dimension
    /// set: percentiles of times and sizes, sums of counts, averages of the rest.
    pub fn events(mut self, shape: &Shape) -> Self {
        self.shapes.push(shape.clone());
        self
    }

    /// The objective for availability, in percent of requests without a fault. Default 99.9.
    pub const fn availability(mut self, percent: f64) -> Self {
        self.availability = percent;
        self
    }

    /// The objective for latency: so many milliseconds at this percentile. Default 1,000 at 99.
    pub const fn latency(mut self, milliseconds: f64, percentile: f64) -> Self {
        self.latency = (milliseconds, percentile);
        self
    }

    /// The log group of the service: for queries, and alarms on lines that CloudWatch rejects.
    /// Default: neither.
    pub fn log_group(mut self, name: impl Into<String>) -> Self {
        self.log_group = Some(name.into());
        self
    }

    /// Adds a metric of AWS's about what the service runs on, such as `CPUUtilization` of
    /// `AWS/ECS`.
    pub fn resource<N: Into<String>, V: Into<String>>(
        mut self,
        namespace: impl Into<String>,
        metric: impl Into<String>,
        dimensions: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let dimensions = dimensions.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.resources.push(Resource {
            namespace: namespace.into(),
            metric: metric.into(),
            dimensions: dimensions.collect(),
        });
        self
    }

    /// Everything as one CloudFormation template.
    ///
    /// Its parameters `WarningTopicArn` and `CriticalTopicArn` name the SNS topics that the two
    /// tiers of alarms notify; an empty one, the default, notifies nobody.
    #[must_use]
    pub fn template(&self) -> Value {
        let mut resources = self.alarms();
        resources.insert(
            "Dashboard".to_owned(),
            json!({
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {
                    "DashboardName": self.name("overview"),
                    "DashboardBody": self.body_for_template(),
                },
            }),
        );
        resources.extend(self.query_definitions());
        json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": format!("What watches {} in {}", self.service, self.environment),
            "Parameters": Tier::parameters(),
            "Conditions": Tier::conditions(),
            "Resources": resources,
        })
    }

    /// The dashboard's body as text, its parameters ready to be filled in.
    fn body_for_template(&self) -> Value {
        if self.place != Place::default() {
            return json!(self.dashboard().to_string());
        }
        let [open, close] = MARKS;
        let marked = Self { place: Place::between(open, close), ..self.clone() };
        let text = marked.dashboard().to_string().replace("${", "${!");
        json!({ "Fn::Sub": text.replace(open, "${").replace(close, "}") })
    }

    /// A name for something of this service, of letters, digits, `-` and `_`.
    fn name(&self, what: &str) -> String {
        let name = format!("{}-{}-{what}", self.service, self.environment);
        name.chars()
            .map(
                |char| if char.is_ascii_alphanumeric() || "-_".contains(char) { char } else { '-' },
            )
            .collect()
    }
}
