use std::error::Error;
use std::fmt;

use crate::port::{StoreError, StoreErrorKind};

/// A queue, topic, bus, stream or workflow that could not do what it was asked.
#[derive(Debug)]
pub struct MessagingError {
    kind: MessagingErrorKind,
    operation: &'static str,
    detail: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessagingErrorKind {
    /// It cannot be reached, or it is closing; the same call may succeed later.
    Unavailable,
    /// It has more to do than it accepts; try again later.
    Throttled,
    /// There is no queue, execution or the like of that name.
    NotFound,
    /// The call breaks a rule, such as a limit of size; repeating it does not help.
    Invalid,
    /// The receipt or the task token is no longer the latest one.
    Expired,
    /// It holds something that cannot be read.
    Corrupt,
}

impl MessagingError {
    /// `operation` failed.
    #[must_use]
    pub const fn new(kind: MessagingErrorKind, operation: &'static str) -> Self {
        Self { kind, operation, detail: None, source: None }
    }

    /// `operation` was asked for something that breaks the rule `detail`.
    #[must_use]
    pub fn invalid(operation: &'static str, detail: impl Into<String>) -> Self {
        Self::new(MessagingErrorKind::Invalid, operation).detail(detail)
    }

    /// `operation` names something that does not exist.
    #[must_use]
    pub fn not_found(operation: &'static str, what: impl Into<String>) -> Self {
        Self::new(MessagingErrorKind::NotFound, operation).detail(what)
    }

    /// Says what exactly is wrong. Never part of a message's body.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of trouble it is.
    #[must_use]
    pub const fn kind(&self) -> MessagingErrorKind {
        self.kind
    }
}

impl fmt::Display for MessagingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            MessagingErrorKind::Unavailable => "is unavailable",
            MessagingErrorKind::Throttled => "is throttled",
            MessagingErrorKind::NotFound => "names what does not exist",
            MessagingErrorKind::Invalid => "breaks a rule",
            MessagingErrorKind::Expired => "comes too late",
            MessagingErrorKind::Corrupt => "found something unreadable",
        };
        write!(f, "{} {kind}", self.operation)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl Error for MessagingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<StoreError> for MessagingError {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::Unavailable => MessagingErrorKind::Unavailable,
            StoreErrorKind::Throttled => MessagingErrorKind::Throttled,
            StoreErrorKind::Corrupt => MessagingErrorKind::Corrupt,
        };
        Self::new(kind, "messaging").because(error)
    }
}
