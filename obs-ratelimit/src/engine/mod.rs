//! The deciding part of a policy: one implementation per place where the count is kept.

mod keyed;
mod plans;
#[cfg(feature = "shared")]
mod shared;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use obs_core::config::ConfigError;

pub(crate) use keyed::keyed;
pub(crate) use plans::advertised;
#[cfg(feature = "shared")]
pub(crate) use shared::{leased, strict};

use crate::lease::{Fallback, NameOf};
use crate::local::{Charged, Place, Standing, Wait};
use crate::overrides::Limit;
use crate::quota::Quota;
use crate::store::{StoreError, StoreKey};

/// Decides about keys.
pub(crate) trait Engine: Send + Sync + fmt::Debug {
    /// Charges a key, or says why not. `tell` asks for the standing after it.
    fn spend(&self, subject: Subject, name: NameOf<'_>, cost: u64, tell: Tell) -> Spent;

    /// Decides after [`Spent::Await`], within the store's time-out.
    fn wait(&self, _subject: Subject, _name: StoreKey, _cost: u64) -> Waiting<Spent> {
        Box::pin(std::future::ready(Spent::Unlimited))
    }

    /// Gives back to the store what is not used.
    fn drain(&self) -> Waiting<()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether a charge would pass; changes nothing.
    fn probe(&self, subject: Subject, cost: u64) -> Result<(), Refused>;

    /// Charges without asking.
    fn debit(&self, subject: Subject, name: NameOf<'_>, cost: u64);

    /// Takes a charge back.
    fn refund(&self, subject: Subject, name: Option<StoreKey>, receipt: Receipt);

    /// What the key could use now; `None` if it has no limit.
    fn report(&self, subject: Subject) -> Option<Report>;

    /// Makes a key as if it had never been seen, on this node.
    fn forget(&self, subject: Subject);

    /// Gives a key back what it used on this node, up to `tokens`.
    fn grant(&self, subject: Subject, tokens: u64);

    /// Acts on a key in the store; `None` without a store.
    fn in_store(
        &self,
        _subject: Subject,
        _name: StoreKey,
        _action: StoreAction,
    ) -> Option<Waiting<Result<Option<Report>, StoreError>>> {
        None
    }

    /// Puts other quotas in place.
    fn replace(&self, default: Quota, overrides: Vec<(u64, Limit)>) -> Result<(), ConfigError>;

    /// Counters for the control's snapshot.
    fn figures(&self) -> Figures;
}

/// What an operator does to a key in a store. All of them tell what is left after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreAction {
    Peek,
    Reset,
    Grant(u64),
}

/// A key as an engine knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The keyed fingerprint that names the bucket.
    pub(crate) fingerprint: u64,
    /// The fingerprint under which an override is looked up.
    pub(crate) override_of: u64,
}

/// Whether anybody wants to know where a key stands after a decision; where nobody does, what is
/// said of it is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    Nothing,
    Refusals,
    Everything,
}

impl Tell {
    /// Whether the standing of a key is wanted after this answer.
    #[inline]
    pub(crate) fn is_due(self, is_admitted: bool) -> bool {
        self == Self::Everything || (self == Self::Refusals && !is_admitted)
    }

    /// The standing of a key that was admitted.
    #[inline]
    pub(crate) fn admitted(self, report: impl FnOnce() -> Report) -> Option<Report> {
        (self == Self::Everything).then(report)
    }

    /// The standing of a key that was refused.
    #[inline]
    pub(crate) fn refused(self, report: impl FnOnce() -> Report) -> Report {
        if self == Self::Nothing { Report::default() } else { report() }
    }
}

/// What an engine answers to a charge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spent {
    /// The charge is made.
    Admitted { receipt: Receipt, report: Option<Report>, fallback: Option<Fallback> },
    /// Nothing is counted for this key.
    Unlimited,
    /// The charge is not made.
    Refused(Refused),
    /// The store has to answer first.
    Await,
}

/// What an engine's asynchronous part yields.
pub(crate) type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A charge as it must be known to be taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) charged: Charged,
    pub(crate) place: Place,
}

/// Why a charge is not made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) wait: Wait,
    pub(crate) reason: Reason,
    pub(crate) report: Report,
    pub(crate) fallback: Option<Fallback>,
}

/// Why a request is refused; the label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The key used its quota.
    Limit,
    /// The key is blocked.
    Blocked,
    /// The request costs more than the quota can ever give.
    Cost,
    /// The request has no key.
    MissingKey,
    /// There is no store, and the policy is closed without it.
    Closed,
}

/// The standing of a key under its own quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) capacity: u64,
    /// Whole seconds in which `capacity` can be used once; 0 where there are none.
    pub(crate) window: u64,
    pub(crate) standing: Standing,
}

/// What an engine has had to do with its store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreFigures {
    pub(crate) name: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) circuit: &'static str,
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) leased: u64,
    pub(crate) returned: u64,
    pub(crate) fallback: u64,
}

/// Counters of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) limited_keys: usize,
    pub(crate) overflowed: u64,
    pub(crate) memory: usize,
    pub(crate) store: Option<StoreFigures>,
}
