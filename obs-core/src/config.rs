//! The error of a configuration that cannot be used.
//!
//! ```
//! use obs_core::config::ConfigError;
//!
//! let error = ConfigError::new("burst", 0, "must be at least 1");
//! assert_eq!(error.field(), "burst");
//! ```

use std::borrow::Cow;
use std::fmt;

/// A configuration value that breaks a rule.
///
/// Every builder of the suite returns it from `build()`. The message names the field, the value
/// and the rule.
///
/// ```
/// use obs_core::config::ConfigError;
///
/// let error = ConfigError::new("failure_rate_threshold", 140, "must be between 0 and 100");
/// assert_eq!(error.to_string(), "failure_rate_threshold = 140: must be between 0 and 100");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    field: Cow<'static, str>,
    value: String,
    rule: Cow<'static, str>,
}

impl ConfigError {
    /// The error for `value` in `field`, which breaks `rule`.
    #[must_use]
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        rule: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), value: value.to_string(), rule: rule.into() }
    }

    /// The name of the field, as it is written in code or in the environment.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The value that was refused.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The rule that the value breaks.
    ///
    /// ```
    /// use obs_core::config::ConfigError;
    ///
    /// let error = ConfigError::new("burst", 0, "must be at least 1");
    /// assert_eq!((error.field(), error.value()), ("burst", "0"));
    /// assert_eq!(error.rule(), "must be at least 1");
    /// ```
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.field, self.value.escape_debug(), self.rule)
    }
}

impl std::error::Error for ConfigError {}
