//! A named thing with a state, a snapshot and actions: breakers, bulkheads, limits, the telemetry
//! pipeline.
//!
//! Whatever implements [`Control`] is put into a [`Registry`]; obs-health serves what is there
//! under `/health/circuits` and `/health/controls`.
//!
//! ```
//! use obs_core::circuit::CircuitBreaker;
//! use obs_core::control::{Action, Kind, Registry};
//!
//! let registry = Registry::default();
//! let breaker = CircuitBreaker::builder("payment").controls(&registry).build()?;
//! let control = registry.get(Kind::CircuitBreaker, "payment").expect("it registered itself");
//! control.apply(&Action::new("force_open").reason("maintenance"))?;
//! assert!(breaker.try_acquire().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
pub mod knob;
mod registry;

use std::fmt;

pub use action::{Action, ActionError, ActionErrorKind};
pub use registry::Registry;

use crate::config::ConfigError;

/// A thing that an operator can look at and act upon while the service runs.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// use obs_core::control::{Action, ActionError, Control, Health, Kind, Registry};
///
/// /// A switch of the application's own, which operators see at `/health/controls`.
/// #[derive(Debug, Default)]
/// struct Recommendations(AtomicBool);
///
/// impl Control for Recommendations {
///     fn name(&self) -> &str {
///         "recommendations"
///     }
///
///     fn kind(&self) -> Kind {
///         Kind::Fallback
///     }
///
///     fn state(&self) -> &'static str {
///         if self.0.load(Ordering::Relaxed) { "off" } else { "on" }
///     }
///
///     fn health(&self) -> Health {
///         if self.state() == "on" { Health::Pass } else { Health::Warn }
///     }
///
///     fn snapshot(&self) -> serde_json::Value {
///         serde_json::json!({ "state": self.state() })
///     }
///
///     fn actions(&self) -> &'static [&'static str] {
///         &["disable"]
///     }
///
///     fn apply(&self, action: &Action) -> Result<(), ActionError> {
///         match action.name.as_str() {
///             "disable" => Ok(self.0.store(true, Ordering::Relaxed)),
///             _ => Err(ActionError::unknown(action, self.actions())),
///         }
///     }
/// }
///
/// let registry = Registry::default();
/// registry.register(Arc::new(Recommendations::default()));
/// let control = registry.get(Kind::Fallback, "recommendations").expect("it was registered");
/// control.apply(&Action::new("disable"))?;
/// assert_eq!((control.state(), control.health()), ("off", Health::Warn));
/// assert_eq!(control.snapshot()["state"], "off");
/// # Ok::<(), ActionError>(())
/// ```
pub trait Control: Send + Sync + fmt::Debug + 'static {
    /// The name, unique within its kind; at most 128 characters of `[A-Za-z0-9._:/@-]`.
    fn name(&self) -> &str;

    /// What it is.
    fn kind(&self) -> Kind;

    /// Its state in one `snake_case` word, such as `closed` or `half_open`.
    fn state(&self) -> &'static str;

    /// How well it is, for readiness.
    fn health(&self) -> Health {
        Health::Pass
    }

    /// State, counters, knobs and the last transitions, as a JSON object in `snake_case`.
    fn snapshot(&self) -> serde_json::Value;

    /// The actions that [`Control::apply`] understands.
    fn actions(&self) -> &'static [&'static str] {
        &[]
    }

    /// Carries out an action that an authorised operator asked for.
    ///
    /// # Errors
    /// [`ActionError`] when the action is unknown here or its argument breaks a rule; nothing has
    /// changed then.
    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        Err(ActionError::unknown(action, self.actions()))
    }
}

/// Checks the name of a control.
///
/// ```
/// use obs_core::control::check_name;
///
/// assert!(check_name("orders/v2").is_ok());
/// assert!(check_name("two words").is_err());
/// ```
///
/// # Errors
/// [`ConfigError`] unless it is 1 to 128 characters of `[A-Za-z0-9._:/@-]`.
pub fn check_name(name: &str) -> Result<(), ConfigError> {
    if (1..=128).contains(&name.len()) && name.bytes().all(is_name_byte) {
        return Ok(());
    }
    Err(ConfigError::new("name", name, "must be 1 to 128 characters of [A-Za-z0-9._:/@-]"))
}

/// Whether the name of a control may contain `byte`.
///
/// ```
/// use obs_core::control::is_name_byte;
///
/// assert!(is_name_byte(b'/') && !is_name_byte(b' '));
/// ```
#[must_use]
pub const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'/' | b'@' | b'-')
}

/// What a [`Control`] is.
///
/// ```
/// use obs_core::control::Kind;
///
/// assert_eq!(Kind::CircuitBreaker.as_str(), "circuit_breaker");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A circuit breaker.
    CircuitBreaker,
    /// A bulkhead.
    Bulkhead,
    /// A retry policy with its budget.
    Retry,
    /// A time limit.
    Timeout,
    /// An adaptive concurrency limit.
    LoadShed,
    /// A fallback.
    Fallback,
    /// A rate limit.
    RateLimit,
    /// The pipeline that carries lines, metrics and spans.
    Telemetry,
    /// The requests being served now.
    InFlight,
}

impl Kind {
    /// The name used in documents and paths.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CircuitBreaker => "circuit_breaker",
            Self::Bulkhead => "bulkhead",
            Self::Retry => "retry",
            Self::Timeout => "timeout",
            Self::LoadShed => "load_shed",
            Self::Fallback => "fallback",
            Self::RateLimit => "rate_limit",
            Self::Telemetry => "telemetry",
            Self::InFlight => "in_flight",
        }
    }
}

/// How well a control or a dependency is.
///
/// ```
/// use obs_core::control::Health;
///
/// assert_eq!(Health::Warn.as_str(), "warn");
/// // The worst of several is the greatest.
/// assert_eq!([Health::Pass, Health::Fail, Health::Warn].into_iter().max(), Some(Health::Fail));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Works.
    Pass,
    /// Works with less than it should have.
    Warn,
    /// Does not work.
    Fail,
}

impl Health {
    /// The word of the
    /// [health+json draft](https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}
