use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::ConfigError;

/// What an operator asks of a [`Control`](super::Control).
///
/// On the wire `{"action": "force_open", "reason": "…", "ttl_s": 300}`; other members are the
/// action's arguments.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::control::Action;
///
/// let action = Action::new("force_open").reason("maintenance").ttl(Duration::from_secs(600));
/// assert_eq!(action.reason.as_deref(), Some("maintenance"));
/// let action = Action::new("configure").argument("max_concurrent_calls", 50);
/// assert_eq!(action.arguments["max_concurrent_calls"], 50);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Action {
    /// The name, such as `force_open`.
    pub name: String,
    /// Why, for the line that records the action.
    pub reason: Option<String>,
    /// After this time the control goes back to deciding for itself.
    pub ttl: Option<Duration>,
    /// Further arguments.
    pub arguments: Map<String, Value>,
}

impl Action {
    /// An action without reason, time limit or arguments.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), reason: None, ttl: None, arguments: Map::new() }
    }

    /// Sets the reason. Default: none.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the time after which the control decides for itself again. Default: none, it holds
    /// until the next action.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }
}

/// An action that was not carried out.
///
/// ```
/// use obs_core::control::{Action, ActionError, ActionErrorKind};
///
/// let error = ActionError::unknown(&Action::new("explode"), &["close", "reset"]);
/// assert_eq!(error.kind(), ActionErrorKind::Unknown);
/// let error = ActionError::invalid("ttl_s", 0, "must be at least 1");
/// assert_eq!(error.kind(), ActionErrorKind::Invalid);
/// let error = ActionError::conflict("the drain has begun");
/// assert_eq!(error.kind(), ActionErrorKind::Conflict);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionError {
    kind: ActionErrorKind,
    message: String,
}

/// Why an action was not carried out.
///
/// ```
/// use obs_core::control::ActionErrorKind;
///
/// fn status(kind: ActionErrorKind) -> u16 {
///     match kind {
///         ActionErrorKind::Conflict => 409,
///         _ => 400,
///     }
/// }
/// assert_eq!(status(ActionErrorKind::Conflict), 409);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActionErrorKind {
    /// The control has no such action.
    Unknown,
    /// An argument is missing or breaks a rule.
    Invalid,
    /// The control's state does not allow it now.
    Conflict,
}

impl ActionError {
    /// The control has no such action.
    #[must_use]
    pub fn unknown(action: &Action, known: &[&str]) -> Self {
        let message = format!("action = {:?}: must be one of {}", action.name, known.join(", "));
        Self { kind: ActionErrorKind::Unknown, message }
    }

    /// The argument `field` with `value` breaks `rule`.
    #[must_use]
    pub fn invalid(field: &str, value: impl fmt::Display, rule: &str) -> Self {
        Self { kind: ActionErrorKind::Invalid, message: format!("{field} = {value}: {rule}") }
    }

    /// The control's state does not allow the action.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { kind: ActionErrorKind::Conflict, message: message.into() }
    }

    /// Why it was not carried out.
    #[must_use]
    pub const fn kind(&self) -> ActionErrorKind {
        self.kind
    }
}

/// A value that the configuration refuses.
impl From<ConfigError> for ActionError {
    fn from(error: ConfigError) -> Self {
        Self::invalid(error.field(), error.value(), error.rule())
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ActionError {}
