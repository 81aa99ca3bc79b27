use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::MessagingFuture;

/// The most events of one call, as in EventBridge.
pub const MAX_EVENTS: usize = 10;

/// An event before it is put on a bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Which service it comes from, such as `shopfast.order-service`.
    pub source: String,
    /// What happened, such as `order.created`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// When it happened, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// What is to be known about it, with `event_id`, `schema_version` and, once a sender has put
    /// it there, `_trace`.
    pub detail: Map<String, Value>,
    /// The X-Ray header; EventBridge calls it `TraceHeader`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_header: Option<String>,
}

/// A bus: each event goes to the targets of all rules whose pattern it matches.
///
/// What was put is durable, archived, and delivered at least once to each target. A target gets
/// the event as JSON in EventBridge's form: `version`, `id`, `detail-type`, `source`, `account`,
/// `time`, `region`, `resources`, `detail`.
pub trait EventBus: Send + Sync + fmt::Debug + 'static {
    /// Its name.
    fn name(&self) -> &str;

    /// Puts up to [`MAX_EVENTS`] events; the answers are in their order. One that is refused
    /// leaves the others alone.
    ///
    /// # Errors
    /// `Invalid` when there are too many or none.
    fn put<'a>(&'a self, events: &'a [NewEvent]) -> MessagingFuture<'a, Vec<Put>>;

    /// Up to `limit` archived events from `from_ms` on, the oldest first.
    fn archived(&self, from_ms: u64, limit: usize) -> MessagingFuture<'_, Vec<Archived>>;

    /// Delivers the archived events of a span of time again, to the targets of `rule` only if one
    /// is named; says how many events that were.
    ///
    /// A replayed event keeps its id, time and detail, and has a further member `replay-name`.
    fn replay<'a>(&'a self, replay: &'a Replay) -> MessagingFuture<'a, usize>;

    /// What each rule says of an archived event; `None` for an event that is not archived.
    fn explain<'a>(&'a self, event_id: &'a str) -> MessagingFuture<'a, Option<Vec<Verdict>>>;
}

/// What a bus says of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is on the bus.
    Accepted {
        /// Its id.
        event_id: String,
        /// What the rules said of it; empty where the bus does not tell, as EventBridge.
        verdicts: Vec<Verdict>,
    },
    /// It was refused, because of this.
    Refused(String),
}

/// What a rule says of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The rule.
    pub rule: String,
    /// Whether its pattern matches.
    pub matched: bool,
    /// The first part of the pattern that does not match, and what stands there instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The targets that get the event: the kind of each, and its name, such as `queue:orders`.
    pub targets: Vec<String>,
}

/// An event in a bus's archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Archived {
    /// Its id.
    pub event_id: String,
    /// The event.
    pub event: NewEvent,
}

/// Which archived events are delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// What the replay is called.
    pub name: String,
    /// The earliest time, in milliseconds since 1970-01-01T00:00:00Z.
    pub from_ms: u64,
    /// The end, which is left out.
    pub to_ms: u64,
    /// The only rule that takes part, if not all.
    pub rule: Option<String>,
}
