//! Reading the arguments of a `configure` action.

use std::time::Duration;

use obs_core::config::ConfigError;
use obs_core::control::ActionError;
use serde_json::Value;

pub(crate) fn number(name: &str, value: &Value) -> Result<u64, ActionError> {
    value.as_u64().ok_or_else(|| ActionError::invalid(name, value, "must be a whole number"))
}

pub(crate) fn millis(name: &str, value: &Value) -> Result<Duration, ActionError> {
    number(name, value).map(Duration::from_millis)
}

#[cfg(any(feature = "bulkhead", feature = "load-shed", feature = "retry"))]
pub(crate) fn count(name: &str, value: &Value) -> Result<u32, ActionError> {
    number(name, value).and_then(|number| {
        u32::try_from(number).map_err(|_| ActionError::invalid(name, value, "is too large"))
    })
}

#[cfg(any(feature = "load-shed", feature = "retry"))]
pub(crate) fn decimal(name: &str, value: &Value) -> Result<f64, ActionError> {
    value.as_f64().ok_or_else(|| ActionError::invalid(name, value, "must be a number"))
}

pub(crate) fn flag(name: &str, value: &Value) -> Result<bool, ActionError> {
    value.as_bool().ok_or_else(|| ActionError::invalid(name, value, "must be true or false"))
}

pub(crate) fn unknown(name: &str, value: &Value) -> ActionError {
    ActionError::invalid(name, value, "is no knob of this control")
}

pub(crate) fn invalid(error: &ConfigError) -> ActionError {
    ActionError::invalid(error.field(), error.value(), error.rule())
}

/// Whole milliseconds, for documents.
pub(crate) fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
