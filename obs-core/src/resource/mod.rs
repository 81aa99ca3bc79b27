//! Who is speaking: the attributes that describe this service and the place where it runs.
//!
//! ```
//! use obs_core::environment::Environment;
//! use obs_core::resource::Resource;
//!
//! let set = [("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.4.2")];
//! let resource = Resource::from_environment(&Environment::from_iter(set))?;
//! assert_eq!(resource.get("service.version"), Some("1.4.2"));
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

#[cfg(feature = "aws-detect")]
mod detect;
mod entity;
mod environment;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use crate::config::ConfigError;
use crate::environment::Environment;

/// The attributes of a service and its host, by OpenTelemetry's names, each key once.
///
/// ```
/// use obs_core::environment::Environment;
/// use obs_core::resource::Resource;
///
/// let environment = Environment::from([
///     ("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.4.2,deployment.environment.name=prod"),
///     ("POD_NAME", "orders-7d9f"),
/// ]);
/// let resource = Resource::from_environment(&environment)?;
/// assert_eq!(resource.get("service.version"), Some("1.4.2"));
/// assert_eq!(resource.get("k8s.pod.name"), Some("orders-7d9f"));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Resource(Vec<(Cow<'static, str>, String)>);

impl Resource {
    /// A resource without attributes.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The attributes that the environment names: `OTEL_RESOURCE_ATTRIBUTES`, then
    /// `OTEL_SERVICE_NAME`, which wins; and where these do not say otherwise `POD_NAME`,
    /// `NODE_NAME`, and the variables that Lambda and ECS set. Makes no network call.
    ///
    /// # Errors
    /// [`ConfigError`] when `OTEL_RESOURCE_ATTRIBUTES` is not a list of `key=value`, separated by
    /// commas and percent-encoded
    /// ([specification](https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable)).
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        environment::read(environment)
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// Sets an attribute; an older value is replaced.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(own, _)| *own == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Adds the attributes of `other` that are not here yet.
    ///
    /// ```
    /// use obs_core::resource::Resource;
    ///
    /// let mut known = Resource::empty().with("service.name", "orders");
    /// known.set("service.version", "1.4.2");
    /// // What is known already stays.
    /// let all = known.or(Resource::empty().with("service.name", "unknown").with("host.name", "h-1"));
    /// assert_eq!(all.get("service.name"), Some("orders"));
    /// assert_eq!(all.iter().len(), 3);
    /// ```
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (key, value) in other.0 {
            if self.get(&key).is_none() {
                self.0.push((key, value));
            }
        }
        self
    }

    /// Every attribute, in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_str()))
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
