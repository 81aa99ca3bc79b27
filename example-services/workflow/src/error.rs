use std::fmt;

use serde::{Deserialize, Serialize};

/// A definition that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError(pub(crate) String);

impl DefinitionError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DefinitionError {}

/// An error that a state ends with, by the name that `Retry` and `Catch` know it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateError {
    /// Its name, such as `States.Timeout`.
    pub error: String,
    /// What happened, for people.
    pub cause: String,
}

impl StateError {
    /// A task took too long.
    pub const TIMEOUT: &'static str = "States.Timeout";
    /// A task gave no sign of life for too long.
    pub const HEARTBEAT_TIMEOUT: &'static str = "States.HeartbeatTimeout";
    /// Anything the application did not expect.
    pub const TASK_FAILED: &'static str = "States.TaskFailed";
    pub(crate) const RUNTIME: &'static str = "States.Runtime";
    pub(crate) const NO_CHOICE: &'static str = "States.NoChoiceMatched";
    pub(crate) const RESULT_PATH: &'static str = "States.ResultPathMatchFailure";
    pub(crate) const PARAMETER_PATH: &'static str = "States.ParameterPathFailure";
    pub(crate) const INTRINSIC: &'static str = "States.IntrinsicFailure";

    /// An error with this name.
    #[must_use]
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    /// Whether a `Retry` or `Catch` for `names` is about this error.
    pub(crate) fn is_one_of(&self, names: &[String]) -> bool {
        names.iter().any(|name| match name.as_str() {
            // Nothing catches these two with a wildcard.
            "States.ALL" => self.error != Self::RUNTIME,
            "States.TaskFailed" => ![Self::TIMEOUT, Self::RUNTIME].contains(&&*self.error),
            "States.Timeout" => [Self::TIMEOUT, Self::HEARTBEAT_TIMEOUT].contains(&&*self.error),
            name => name == self.error,
        })
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.cause)
    }
}

impl std::error::Error for StateError {}
