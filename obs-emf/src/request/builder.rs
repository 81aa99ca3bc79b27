use std::sync::Arc;

use obs_core::config::ConfigError;
use obs_core::environment::Environment;
use obs_core::resource::Resource;

use super::observation::METHODS;
use super::{ALL, ENVIRONMENT, Inner, METHOD, ROUTE, RequestMetrics, SERVICE};
use crate::declare::Shape;
use crate::ledger::SharedLedger;

/// Describes [`RequestMetrics`].
///
/// ```
/// use obs_core::environment::Environment;
/// use obs_core::resource::Resource;
/// use obs_emf::request::RequestMetrics;
///
/// let metrics = RequestMetrics::builder("orders", "prod")
///     .namespace("Shop")
///     .from_environment(&Environment::empty())
///     .entity(&Resource::empty())
///     .dimension("Cell", "eu-1")
///     .build()?;
/// assert_eq!(metrics.shape().namespace(), "Shop");
/// assert_eq!(metrics.shape().metrics().len(), 6);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequestMetricsBuilder {
    service: String,
    environment: String,
    namespace: Option<String>,
    dimensions: Vec<(String, String)>,
    resource: Resource,
    variables: Option<Environment>,
    routes: Option<u64>,
}

impl RequestMetricsBuilder {
    pub(super) fn new(service: String, environment: String) -> Self {
        let (dimensions, resource) = (Vec::new(), Resource::default());
        let (namespace, variables, routes) = (None, None, None);
        Self { service, environment, namespace, dimensions, resource, variables, routes }
    }

    /// Sets the namespace. Default: `AWS_EMF_NAMESPACE` where the environment is read, else the
    /// name of the service.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Reads `AWS_EMF_NAMESPACE`, and the agent's log group and stream as
    /// [`ShapeBuilder::from_environment`](crate::ShapeBuilder::from_environment) does; a namespace
    /// set in code stays.
    pub fn from_environment(mut self, environment: &Environment) -> Self {
        self.variables = Some(environment.clone());
        self
    }

    /// Adds the members by which CloudWatch links the metrics to what the service runs on, as
    /// [`ShapeBuilder::entity`](crate::ShapeBuilder::entity) does.
    pub fn entity(mut self, resource: &Resource) -> Self {
        self.resource = resource.clone();
        self
    }

    /// Adds a dimension of one fixed value to both dimension sets. Default: none but the standard
    /// ones.
    pub fn dimension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.dimensions.push((name.into(), value.into()));
        self
    }

    /// Declares how many routes the service has, for
    /// [`Shape::series_bound`](crate::Shape::series_bound); requests that no route matched are one
    /// more.
    ///
    /// Not set by default, so that the series have no known bound. Routes beyond it are not refused.
    ///
    /// ```
    /// use obs_emf::request::RequestMetrics;
    ///
    /// let metrics = RequestMetrics::builder("orders", "prod").routes(20).build()?;
    /// assert!(metrics.shape().series_bound().is_some());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn routes(mut self, most: u64) -> Self {
        self.routes = Some(most);
        self
    }

    /// Checks the settings and compiles the envelope.
    ///
    /// # Errors
    /// [`ConfigError`] names the field and the rule, such as a namespace that CloudWatch refuses.
    pub fn build(self) -> Result<RequestMetrics, ConfigError> {
        let variable = self.variables.as_ref().and_then(|all| all.get("AWS_EMF_NAMESPACE"));
        let namespace = self.namespace.or_else(|| variable.map(str::to_owned));
        let namespace = namespace.unwrap_or_else(|| self.service.clone());
        let with_declared = |names: &[&'static str]| -> Vec<String> {
            let declared = self.dimensions.iter().map(|(name, _)| name.clone());
            names.iter().map(|name| (*name).to_owned()).chain(declared).collect()
        };
        let mut shape = Shape::builder(namespace)
            .dimension_set(with_declared(&[SERVICE, ENVIRONMENT]))
            .dimension_set(with_declared(&[SERVICE, ENVIRONMENT, METHOD, ROUTE]))
            .constant(SERVICE, self.service)
            .constant(ENVIRONMENT, self.environment);
        for (name, value) in self.dimensions {
            shape = shape.constant(name, value);
        }
        if let Some(routes) = self.routes {
            shape = shape.bound(ROUTE, routes.saturating_add(1)).bound(METHOD, METHODS);
        }
        for metric in &ALL {
            shape = shape.metric(metric);
        }
        if let Some(variables) = &self.variables {
            shape = shape.from_environment(variables);
        }
        let shape = shape.entity(&self.resource);
        let shape = shape.build()?;
        Ok(RequestMetrics(Arc::new(Inner { shape, ledger: SharedLedger::default() })))
    }
}
