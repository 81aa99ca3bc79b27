use std::borrow::Cow;
use std::fmt;

use obs_core::config::ConfigError;
use obs_core::control::Health;

/// What one run of a check found.
///
/// ```
/// use obs_core::control::Health;
/// use obs_health::check::Observation;
///
/// let full = Observation::warn("disk is nearly full").value(0.93, "fraction");
/// assert_eq!(full.health(), Health::Warn);
/// let down: Observation = Err::<(), _>("connection refused").into();
/// assert_eq!(down.output(), Some("connection refused"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    health: Health,
    output: Option<Cow<'static, str>>,
    value: Option<(f64, &'static str)>,
}

impl Observation {
    /// It works.
    #[must_use]
    pub const fn pass() -> Self {
        Self { health: Health::Pass, output: None, value: None }
    }

    /// It works with less than it should have.
    #[must_use]
    pub fn warn(output: impl Into<Cow<'static, str>>) -> Self {
        Self { health: Health::Warn, output: Some(output.into()), value: None }
    }

    /// It does not work.
    #[must_use]
    pub fn fail(output: impl Into<Cow<'static, str>>) -> Self {
        Self { health: Health::Fail, output: Some(output.into()), value: None }
    }

    /// Adds the figure that the check measured; one that is not finite is left out. Default: none.
    #[must_use]
    pub fn value(mut self, value: f64, unit: &'static str) -> Self {
        self.value = value.is_finite().then_some((value, unit));
        self
    }

    /// Judges how much of `what` is used up.
    pub(super) fn of_used(used: f64, warn_at: f64, fail_at: f64, what: &str) -> Self {
        let observation = if used >= fail_at {
            Self::fail(format!("{what} is used up"))
        } else if used >= warn_at {
            Self::warn(format!("{what} is nearly used up"))
        } else {
            Self::pass()
        };
        observation.value(used, "fraction")
    }

    /// How well the dependency is.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// Why it is not well; shown to authorised callers only.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        self.output.as_deref()
    }

    /// The figure that the check measured, and its unit.
    ///
    /// ```
    /// use obs_core::control::Health;
    /// use obs_health::check::Observation;
    ///
    /// let lag = Observation::pass().value(12.5, "ms");
    /// assert_eq!(lag.observed(), Some((12.5, "ms")));
    /// assert_eq!(Observation::fail("connection refused").health(), Health::Fail);
    /// ```
    #[must_use]
    pub const fn observed(&self) -> Option<(f64, &'static str)> {
        self.value
    }
}

/// Checks the fractions at which something that is used up warns and fails.
pub(super) fn fractions(warn_at: f64, fail_at: f64) -> Result<(f64, f64), ConfigError> {
    if !(warn_at > 0.0 && warn_at <= 1.0) {
        return Err(ConfigError::new("warn_at", warn_at, "must be above 0 and at most 1"));
    }
    if !(fail_at >= warn_at && fail_at <= 1.0) {
        return Err(ConfigError::new("fail_at", fail_at, "must be between warn_at and 1"));
    }
    Ok((warn_at, fail_at))
}

impl From<()> for Observation {
    fn from((): ()) -> Self {
        Self::pass()
    }
}

impl<E: fmt::Display> From<Result<(), E>> for Observation {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::pass(),
            Err(error) => Self::fail(error.to_string()),
        }
    }
}
