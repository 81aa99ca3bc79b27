//! Reading the arguments of a `configure` action: for those who implement
//! [`Control`](super::Control).
//!
//! ```
//! use obs_core::control::knob;
//!
//! assert_eq!(knob::count("limit", &7.into())?, 7);
//! # Ok::<_, obs_core::control::ActionError>(())
//! ```

use std::time::Duration;

use serde_json::Value;

use super::{Action, ActionError};

/// The actions of a control that can be configured and nothing else.
pub const ACTIONS: &[&str] = &["configure"];

/// What becomes of `config` by a `configure` action: `with_knob` changes one knob at a time. The
/// argument `actor` says who acts and is left out.
///
/// ```
/// use obs_core::control::{Action, knob};
///
/// let action = Action::new("configure").argument("limit", 7).argument("actor", "ann");
/// let limit = knob::configure(&action, 5, |_, name, value| match name {
///     "limit" => knob::count(name, value),
///     _ => Err(knob::unknown(name, value)),
/// })?;
/// assert_eq!(limit, 7);
/// # Ok::<_, obs_core::control::ActionError>(())
/// ```
///
/// # Errors
/// [`ActionError`] for any other action, and that of `with_knob`.
pub fn configure<C>(
    action: &Action,
    config: C,
    with_knob: impl Fn(C, &str, &Value) -> Result<C, ActionError>,
) -> Result<C, ActionError> {
    if action.name != "configure" {
        return Err(ActionError::unknown(action, ACTIONS));
    }
    let mut knobs = action.arguments.iter().filter(|(name, _)| *name != "actor");
    knobs.try_fold(config, |config, (name, value)| with_knob(config, name, value))
}

/// A whole number.
///
/// ```
/// use obs_core::control::knob;
///
/// assert_eq!(knob::number("burst", &7.into())?, 7);
/// assert!(knob::number("burst", &(-7).into()).is_err());
/// # Ok::<_, obs_core::control::ActionError>(())
/// ```
///
/// # Errors
/// [`ActionError`] if it is none, or below zero.
pub fn number(name: &str, value: &Value) -> Result<u64, ActionError> {
    value.as_u64().ok_or_else(|| ActionError::invalid(name, value, "must be a whole number"))
}

/// A whole number that fits 32 bits.
///
/// ```
/// use obs_core::control::knob;
///
/// assert_eq!(knob::count("burst", &7.into())?, 7);
/// assert!(knob::count("burst", &5_000_000_000_u64.into()).is_err());
/// # Ok::<_, obs_core::control::ActionError>(())
/// ```
///
/// # Errors
/// [`ActionError`] if it is none.
pub fn count(name: &str, value: &Value) -> Result<u32, ActionError> {
    let too_large = |_| ActionError::invalid(name, value, "is too large");
    number(name, value).and_then(|number| u32::try_from(number).map_err(too_large))
}

/// A time in whole milliseconds.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::control::knob;
///
/// assert_eq!(knob::millis("timeout_ms", &250.into())?, Duration::from_millis(250));
/// # Ok::<_, obs_core::control::ActionError>(())
/// ```
///
/// # Errors
/// [`ActionError`] if it is none.
pub fn millis(name: &str, value: &Value) -> Result<Duration, ActionError> {
    number(name, value).map(Duration::from_millis)
}

/// A number.
///
/// ```
/// use obs_core::control::knob;
///
/// assert_eq!(knob::decimal("failure_rate_threshold", &12.5.into())?, 12.5);
/// assert!(knob::decimal("failure_rate_threshold", &"high".into()).is_err());
/// # Ok::<_, obs_core::control::ActionError>(())
/// ```
///
/// # Errors
/// [`ActionError`] if it is none.
pub fn decimal(name: &str, value: &Value) -> Result<f64, ActionError> {
    value.as_f64().ok_or_else(|| ActionError::invalid(name, value, "must be a number"))
}

/// True or false.
///
/// ```
/// use obs_core::control::knob;
///
/// assert!(knob::flag("shadow", &true.into())?);
/// assert!(knob::flag("shadow", &1.into()).is_err());
/// # Ok::<_, obs_core::control::ActionError>(())
/// ```
///
/// # Errors
/// [`ActionError`] if it is neither.
pub fn flag(name: &str, value: &Value) -> Result<bool, ActionError> {
    value.as_bool().ok_or_else(|| ActionError::invalid(name, value, "must be true or false"))
}

/// The error for a knob that the control does not have.
///
/// ```
/// use obs_core::control::{ActionErrorKind, knob};
///
/// let error = knob::unknown("colour", &"red".into());
/// assert_eq!(error.kind(), ActionErrorKind::Invalid);
/// assert!(error.to_string().contains("colour"));
/// ```
#[must_use]
pub fn unknown(name: &str, value: &Value) -> ActionError {
    ActionError::invalid(name, value, "is no knob of this control")
}

/// Whole milliseconds, for snapshots.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::control::knob;
///
/// assert_eq!(knob::as_millis(Duration::from_secs(2)), 2_000);
/// assert_eq!(knob::as_millis(Duration::MAX), u64::MAX);
/// ```
#[must_use]
pub fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
