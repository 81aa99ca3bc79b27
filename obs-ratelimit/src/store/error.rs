use std::error::Error;
use std::fmt;

/// A store that did not answer as it should.
///
/// ```
/// use obs_ratelimit::{StoreError, StoreErrorKind};
///
/// let error = StoreError::because(StoreErrorKind::Unavailable, "connection refused");
/// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
/// assert_eq!(StoreError::new(StoreErrorKind::Timeout).kind().as_str(), "timeout");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What went wrong.
///
/// ```
/// use obs_ratelimit::StoreErrorKind;
///
/// assert_eq!(StoreErrorKind::Throttled.as_str(), "throttled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// No answer in time.
    Timeout,
    /// The store asks for fewer calls. It is not an outage.
    Throttled,
    /// The store cannot be reached or does not work.
    Unavailable,
    /// The answer makes no sense.
    Garbled,
    /// The store refuses the call as it is: credentials, a missing table, a wrong type.
    Rejected,
}

impl StoreErrorKind {
    /// The label of metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Garbled => "garbled",
            Self::Rejected => "rejected",
        }
    }
}

impl StoreError {
    /// An error of this kind.
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of this kind, because of another.
    pub fn because(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Timeout => "the rate-limit store did not answer in time",
            StoreErrorKind::Throttled => "the rate-limit store asks for fewer calls",
            StoreErrorKind::Unavailable => "the rate-limit store is not available",
            StoreErrorKind::Garbled => "the rate-limit store gave an answer without sense",
            StoreErrorKind::Rejected => "the rate-limit store refused the call",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}
