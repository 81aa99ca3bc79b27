//! The environment as an argument.
//!
//! ```
//! use obs_core::environment::Environment;
//!
//! // A test has an environment of its own.
//! let environment = Environment::from_iter([("OTEL_SERVICE_NAME", "orders")]);
//! assert_eq!(environment.get("OTEL_SERVICE_NAME"), Some("orders"));
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of environment variables.
///
/// Libraries of the suite never read the process's environment by themselves; a builder is handed
/// an `Environment`, by default [`Environment::process`].
///
/// ```
/// use obs_core::environment::Environment;
///
/// let environment = Environment::from([("OTEL_SERVICE_NAME", "orders"), ("RUST_LOG", "")]);
/// assert_eq!(environment.get("OTEL_SERVICE_NAME"), Some("orders"));
/// assert_eq!(environment.get("RUST_LOG"), None, "an empty value counts as unset");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// A copy of the process's environment; values that are not UTF-8 are left out.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    #[must_use]
    pub fn process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self(Arc::new(variables.collect()))
    }

    /// An environment without variables.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The value of `name`; an empty value counts as unset, as OpenTelemetry asks.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same variables but for `name`.
    ///
    /// ```
    /// use obs_core::environment::Environment;
    ///
    /// let environment = Environment::process().without("OTEL_SERVICE_NAME");
    /// assert_eq!(environment.get("OTEL_SERVICE_NAME"), None);
    /// assert_eq!(Environment::empty().get("PATH"), None);
    /// ```
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        self.0.iter().filter(|(key, _)| *key != name).collect()
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Environment {
    fn from(variables: [(K, V); N]) -> Self {
        variables.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self(Arc::new(variables.collect()))
    }
}
