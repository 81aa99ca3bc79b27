use std::fmt;
use std::time::Duration;

use super::StoreFuture;
use crate::id::{IdempotencyKey, OrderId, TenantId, UserId};
use crate::notification::Contact;
use crate::order::{Attempt, Order, Status, Transition};
use crate::port::messaging::NewEvent;

/// Where orders are kept.
///
/// An order is placed in two writes. [`OrderStore::begin`] writes it down before any stock is
/// touched; [`OrderStore::accept`] makes the promise. Between them the order may be given up by
/// [`OrderStore::abandon`]. `accept` and `abandon` carry opposite outcomes over the same condition,
/// so for each attempt exactly one of them succeeds, whoever calls them and in whatever order.
///
/// Before them, [`OrderStore::claim`] finds out which order an idempotency key stands for, so that
/// every attempt under one key, also one that was cut off, is about the same order.
pub trait OrderStore: Send + Sync + fmt::Debug + 'static {
    /// The next attempt at the order that `key` stands for, unless the key is taken.
    ///
    /// The order is called `new` if there was no attempt with this key and the same request, or
    /// none for [`CLAIM_TTL`] before `now_ms`.
    fn claim<'a>(&'a self, key: &'a Key, new: &'a OrderId, now_ms: u64)
    -> StoreFuture<'a, Claimed>;

    /// Stores an order in status `RESERVING` unless its key is taken.
    fn begin<'a>(&'a self, placement: &'a Placement) -> StoreFuture<'a, Begun>;

    /// `RESERVING` -> `PENDING`, and `event` into the outbox; the order, or `None`, and nothing
    /// into the outbox, when it is not this attempt that is `RESERVING` (any more).
    fn accept<'a>(
        &'a self,
        attempt: &'a Attempt,
        event: &'a NewEvent,
    ) -> StoreFuture<'a, Option<Order>>;

    /// Does `change`, and puts its event into the outbox, if the order stands where the change
    /// starts and [may become](Status::may_become) what it leads to.
    fn advance<'a>(&'a self, change: &'a Change) -> StoreFuture<'a, Advanced>;

    /// The steps in the life of an order, the first first.
    fn history<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Vec<Transition>>;

    /// Where the customer of an order wants to be told about it; nowhere for one that is not there.
    fn contact<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Contact>;

    /// How many accepted orders there are in each status.
    fn counts(&self) -> StoreFuture<'_, Vec<(Status, u64)>>;

    /// Removes the order and frees its key if it is this attempt that is `RESERVING`; says whether
    /// the attempt came to nothing, which is also true when it never was, or another did not.
    fn abandon<'a>(&'a self, attempt: &'a Attempt) -> StoreFuture<'a, bool>;

    /// The order, if it was accepted.
    fn get<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Option<Order>>;

    /// Up to `limit` accepted orders of a user, the latest first, those before `before` only.
    fn list<'a>(
        &'a self,
        user: &'a UserId,
        before: Option<&'a OrderId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Order>>;

    /// Up to `limit` attempts in status `RESERVING`, by the order's id.
    fn unfinished(&self, limit: usize) -> StoreFuture<'_, Vec<Attempt>>;
}

/// An order about to be placed.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The order, in status `RESERVING`.
    pub order: Order,
    /// Which try at it this is.
    pub attempt: u32,
    /// The key it is placed under, if the customer sent one.
    pub key: Option<Key>,
    /// Where the customer wants to be told. Not part of the order, which others see.
    pub contact: Contact,
}

/// A step in the life of an accepted order.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands.
    pub from: Status,
    /// Where it is to stand.
    pub to: Status,
    /// Why, if there is more to say.
    pub reason: Option<String>,
    /// Under what the carrier knows its parcel, if that is news.
    pub tracking_id: Option<String>,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// What the others are to be told.
    pub event: NewEvent,
}

/// The outcome of [`OrderStore::advance`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// It was done; the order as it is now.
    Done(Order),
    /// Nothing changed: the order stands there already.
    Already(Order),
    /// Nothing changed: an order that stands where this one does cannot come there.
    Illegal(Order),
    /// There is no such order.
    Missing,
}

/// An idempotency key within its scope, with what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The tenant of the request.
    pub tenant_id: TenantId,
    /// The user named in the request.
    pub user_id: UserId,
    /// The key the customer chose.
    pub key: IdempotencyKey,
    /// The request it was sent with.
    pub fingerprint: Fingerprint,
}

/// A digest of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The digest of `bytes`: FNV-1a with 128 bits.
    ///
    /// It tells a mistake from a repetition; it is no defence against a customer who crafts two
    /// bodies of his own with one digest.
    ///
    /// Source of the constants: <http://www.isthe.com/chongo/tech/comp/fnv/>.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        Self(
            bytes
                .iter()
                .fold(OFFSET_BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME)),
        )
    }
}

/// How long a key stands for an order of which no attempt succeeded.
pub const CLAIM_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// The outcome of [`OrderStore::claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It may be tried.
    Attempt(Attempt),
    /// The key is taken.
    Taken(Taken),
}

/// What became of an attempt to begin an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It has been begun.
    New,
    /// The key is taken.
    Taken(Taken),
}

/// What an idempotency key is taken by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The key was used for the same request before, and this order came of it.
    Repeated(Order),
    /// The key was used for the same request, which is still being worked on.
    InProgress,
    /// The key was used for another request.
    Reused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a_with_128_bits() {
        // Published vectors: the empty input and "a".
        assert_eq!(Fingerprint::of(b"").0, 0x6c62272e07bb014262b821756295c58d);
        assert_eq!(Fingerprint::of(b"a").0, 0xd228cb696f1a8caf78912b704e4a8964);
    }
}
