use std::fmt;
use std::time::Duration;

use super::StoreFuture;
use super::messaging::NewEvent;

/// Events that a store has written in the same transaction as the change they tell of, until they
/// are on the bus.
///
/// A store whose changes are announced implements it beside its own port. A relay takes what is
/// pending, puts it on the bus, and reports that; when it ends in between, the events are put
/// again, so every consumer must be able to see an event twice.
pub trait Outbox: Send + Sync + fmt::Debug + 'static {
    /// Up to `limit` events that are not known to be on the bus, the oldest first; waits up to
    /// `wait` for the first.
    fn pending(&self, limit: usize, wait: Duration) -> StoreFuture<'_, Vec<Pending>>;

    /// These are on the bus.
    fn published<'a>(&'a self, ids: &'a [u64]) -> StoreFuture<'a, ()>;

    /// How many events are pending, and when the oldest was written, in milliseconds since
    /// 1970-01-01T00:00:00Z.
    fn backlog(&self) -> StoreFuture<'_, Backlog>;
}

/// An event on its way to the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Names it in its outbox.
    pub id: u64,
    /// The event, with the `_trace` of the request that wrote it.
    pub event: NewEvent,
}

/// How far the relay is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Events that are pending.
    pub events: u64,
    /// The time of the oldest of them, in milliseconds since 1970-01-01T00:00:00Z.
    pub oldest_ms: Option<u64>,
}
