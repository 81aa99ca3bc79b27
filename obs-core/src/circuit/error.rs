use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::State;

/// A breaker refused a call.
///
/// ```
/// use obs_core::circuit::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// breaker.force_open(None);
/// let refusal = breaker.try_acquire().unwrap_err();
/// assert_eq!(&**refusal.name(), "inventory");
/// assert_eq!(refusal.state(), State::ForcedOpen);
/// // Nobody knows when an operator will close it again.
/// assert_eq!(refusal.retry_after(), None);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPermitted {
    pub(super) name: Arc<str>,
    pub(super) state: State,
    pub(super) retry_after: Option<Duration>,
}

impl NotPermitted {
    /// The breaker.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its state: open, forced open, or half-open with all probes under way.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The rest of the open wait; `None` when nobody knows how long it lasts.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "circuit breaker {} is {}", self.name, self.state.as_str())
    }
}

impl std::error::Error for NotPermitted {}

/// A call through [`CircuitBreaker::call`](super::CircuitBreaker::call) that brought no result.
///
/// ```
/// use obs_core::circuit::{CallError, CircuitBreaker};
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// match breaker.call(async { Err::<(), _>("no such product") }).await {
///     Err(CallError::Inner(error)) => assert_eq!(error, "no such product"),
///     Err(CallError::NotPermitted(refusal)) => panic!("it is closed: {refusal}"),
///     Ok(()) => unreachable!(),
/// }
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The breaker refused it.
    NotPermitted(NotPermitted),
    /// It was made and failed.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted(refusal) => refusal.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotPermitted(_) => None,
            Self::Inner(error) => error.source(),
        }
    }
}
