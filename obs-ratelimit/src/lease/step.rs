use crate::local::{Place, Wait};
use crate::store::{GiveBack, StoreKey};

/// What a plane says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Passes; the stamp is the expiry of the lease that paid for it, 0 for none.
    Pass { stamp: u64, place: Place, fallback: Option<Fallback> },
    /// Does not pass before its wait is over.
    Refuse { wait: Wait, fallback: Option<Fallback> },
    /// A lease is under way.
    Await,
}

impl Step {
    pub(super) const fn pass(stamp: u64) -> Self {
        Self::Pass { stamp, place: Place::Own, fallback: None }
    }

    pub(super) const fn pass_by(fallback: Fallback) -> Self {
        Self::Pass { stamp: 0, place: Place::Own, fallback: Some(fallback) }
    }

    /// The same, of a cell that several keys share.
    pub(super) const fn at(self, place: Place) -> Self {
        match self {
            Self::Pass { stamp, fallback, .. } => Self::Pass { stamp, place, fallback },
            other => other,
        }
    }

    pub(crate) const fn fallback(&self) -> Option<Fallback> {
        match self {
            Self::Pass { fallback, .. } | Self::Refuse { fallback, .. } => *fallback,
            Self::Await => None,
        }
    }
}

/// A step of the ladder without the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    Share,
    Reuse,
    Open,
    Closed,
}

impl Fallback {
    /// The word in headers, metrics and snapshots.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Reuse => "reuse",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// The name of a key in its store, made when it is needed.
pub(crate) type NameOf<'a> = &'a dyn Fn() -> StoreKey;

/// What a plane wants done for the leases it has.
#[derive(Debug)]
pub(crate) enum Chore<A> {
    /// Tokens that will not be used.
    GiveBack(GiveBack),
    /// A call as any other.
    Ask(A),
}
