use crate::clock::Timestamp;
use crate::id::{SpanId, TraceId};

use super::attribute::{AttributeValue, Attributes, Text};

/// A finished span as plain data: what every exporter encodes.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::id::{SpanId, TraceId};
/// use obs_core::trace::{SpanKind, SpanRecord, Status};
///
/// let trace_id = TraceId::from_hex("5759e988bd862e3fe1be46a994272793").unwrap();
/// let span_id = SpanId::from_hex("53995c3f42cd8ad8").unwrap();
/// let mut span = SpanRecord::new("GET /orders/{id}", SpanKind::Server, trace_id, span_id);
/// span.start = Timestamp::from_unix_millis(1_767_225_600_000);
/// span.end = Timestamp::from_unix_millis(1_767_225_600_012);
/// span.attributes.push("http.response.status_code", 503);
/// span.annotate("tenant", "acme");
/// span.status = Status::error("no connection to the store");
/// assert_eq!(span.duration().as_millis(), 12);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpanRecord {
    /// The name, such as `GET /orders/{id}`: few distinct values, never a raw path.
    pub name: Text,
    /// The role of the span.
    pub kind: SpanKind,
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span that caused it; `None` for the root of a trace.
    pub parent_span_id: Option<SpanId>,
    /// Whether the parent lives in another process.
    pub parent_is_remote: bool,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; an end before the start counts as the start.
    pub end: Timestamp,
    /// Whether it failed.
    pub status: Status,
    /// Attributes, named by the OpenTelemetry semantic conventions.
    pub attributes: Attributes,
    /// Indexed in X-Ray: attribute plus a mention in `aws.xray.annotations` over OTLP, `annotations`
    /// in a segment.
    pub annotations: Attributes,
    /// Not indexed: `aws.xray.metadata.<namespace>` over OTLP, `metadata` in a segment.
    pub metadata: Vec<Metadata>,
    /// What happened within it; see [`SpanRecord::add_event`].
    pub events: Vec<SpanEvent>,
    /// Events that did not fit.
    pub dropped_events: u32,
    /// Spans of other traces that caused it, such as the messages of a batch.
    pub links: Vec<SpanLink>,
    /// Links that did not fit.
    pub dropped_links: u32,
    /// The W3C `tracestate` it was handed, as text.
    pub trace_state: Text,
}

impl SpanRecord {
    /// At most this many events are kept, as
    /// [OpenTelemetry](https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits) has it.
    pub const MAX_EVENTS: usize = 128;
    /// At most this many links are kept.
    pub const MAX_LINKS: usize = 128;
    /// The namespace of metadata that was given none.
    pub const DEFAULT_NAMESPACE: &'static str = "default";

    /// A span that begins and ends at the epoch and has no parent, attributes or status.
    #[must_use]
    pub fn new(name: impl Into<Text>, kind: SpanKind, trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            name: name.into(),
            kind,
            trace_id,
            span_id,
            parent_span_id: None,
            parent_is_remote: false,
            start: Timestamp::default(),
            end: Timestamp::default(),
            status: Status::Unset,
            attributes: Attributes::new(),
            annotations: Attributes::new(),
            metadata: Vec::new(),
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
            dropped_links: 0,
            trace_state: Text::default(),
        }
    }

    /// The time it took; zero if the clock went back.
    #[must_use]
    pub const fn duration(&self) -> std::time::Duration {
        self.end.saturating_duration_since(self.start)
    }

    /// Sets an annotation: a value by which X-Ray can search.
    pub fn annotate(&mut self, key: impl Into<Text>, value: impl Into<AttributeValue>) {
        self.annotations.set(key, value);
    }

    /// Sets a piece of metadata: a value kept with the span and not searchable.
    ///
    /// At most [`Attributes::MAX`] pieces are kept; further ones count as dropped attributes.
    pub fn metadata(
        &mut self,
        namespace: impl Into<Text>,
        key: impl Into<Text>,
        value: impl Into<AttributeValue>,
    ) {
        if !Metadata::new(namespace, key, value).set_in(&mut self.metadata) {
            self.attributes.count_dropped();
        }
    }

    /// Makes annotations of the attributes that the attribute `aws.xray.annotations` lists, which is
    /// how users of OpenTelemetry mark them for X-Ray.
    #[cfg(feature = "otel")]
    pub(crate) fn adopt_annotations(&mut self) {
        let Some(AttributeValue::Texts(keys)) = self.attributes.take("aws.xray.annotations") else {
            return;
        };
        for key in keys {
            if let Some(value) = self.attributes.take(&key) {
                self.annotate(key, value);
            }
        }
    }

    /// Adds an event, or counts it if there are [`SpanRecord::MAX_EVENTS`] already.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::id::IdGenerator;
    /// use obs_core::trace::{SpanEvent, SpanKind, SpanLink, SpanRecord};
    ///
    /// let (clock, ids) = (Clock::system(), IdGenerator::system());
    /// let mut span = SpanRecord::new("orders", SpanKind::Server, ids.trace_id(&clock), ids.span_id());
    /// span.add_event(SpanEvent::new("cache miss", clock.wall()));
    /// span.add_link(SpanLink::new(ids.trace_id(&clock), ids.span_id()));
    /// span.metadata("payment", "attempts", 2);
    /// assert_eq!((span.events.len(), span.links.len(), span.metadata.len()), (1, 1, 1));
    /// ```
    pub fn add_event(&mut self, event: SpanEvent) {
        if self.events.len() < Self::MAX_EVENTS {
            self.events.push(event);
        } else {
            self.dropped_events = self.dropped_events.saturating_add(1);
        }
    }

    /// Adds a link, or counts it if there are [`SpanRecord::MAX_LINKS`] already.
    pub fn add_link(&mut self, link: SpanLink) {
        if self.links.len() < Self::MAX_LINKS {
            self.links.push(link);
        } else {
            self.dropped_links = self.dropped_links.saturating_add(1);
        }
    }
}

/// The role of a span, as
/// [OpenTelemetry](https://opentelemetry.io/docs/specs/otel/trace/api/#spankind) has it.
///
/// ```
/// use obs_core::trace::SpanKind;
///
/// assert_eq!(SpanKind::from_name("client"), Some(SpanKind::Client));
/// assert_eq!(SpanKind::Server.as_str(), "server");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// Work within the process.
    #[default]
    Internal,
    /// Serves a request from outside.
    Server,
    /// A call to another service or a store.
    Client,
    /// Sends a message.
    Producer,
    /// Handles a message.
    Consumer,
}

impl SpanKind {
    /// The name, in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// The kind of this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

/// Whether a span failed.
///
/// ```
/// use obs_core::trace::Status;
///
/// assert!(Status::error("connection refused").is_error());
/// assert!(!Status::Unset.is_error());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nobody said; counts as success.
    #[default]
    Unset,
    /// Declared good by the application.
    Ok,
    /// Failed, with what is known about it.
    Error(Text),
}

impl Status {
    /// Failed because of `description`.
    #[must_use]
    pub fn error(description: impl Into<Text>) -> Self {
        Self::Error(description.into())
    }

    /// Whether the span failed.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// Something that happened at one moment of a span.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::trace::SpanEvent;
///
/// let mut event = SpanEvent::new("exception", Clock::system().wall());
/// event.attributes.set("exception.message", "no such order");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpanEvent {
    /// What happened; `exception` for errors.
    pub name: Text,
    /// When.
    pub at: Timestamp,
    /// Further facts.
    pub attributes: Attributes,
}

impl SpanEvent {
    /// An event without attributes.
    #[must_use]
    pub fn new(name: impl Into<Text>, at: Timestamp) -> Self {
        Self { name: name.into(), at, attributes: Attributes::new() }
    }
}

/// A span of another trace that caused this one.
///
/// ```
/// use obs_core::id::{SpanId, TraceId};
/// use obs_core::trace::SpanLink;
///
/// let (trace, span) = (TraceId::new(7).expect("not zero"), SpanId::new(8).expect("not zero"));
/// assert_eq!(SpanLink::new(trace, span).span_id, span);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpanLink {
    /// The other trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// Further facts.
    pub attributes: Attributes,
}

impl SpanLink {
    /// A link without attributes.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId) -> Self {
        Self { trace_id, span_id, attributes: Attributes::new() }
    }
}

/// A piece of [metadata](SpanRecord::metadata).
///
/// ```
/// use obs_core::trace::Metadata;
///
/// let metadata = Metadata::new("payment", "attempts", 2);
/// assert_eq!(metadata.value.as_i64(), Some(2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// Groups keys; X-Ray's own SDKs use `default`.
    pub namespace: Text,
    /// The key within the namespace.
    pub key: Text,
    /// The value.
    pub value: AttributeValue,
}

impl Metadata {
    /// A piece of metadata.
    #[must_use]
    pub fn new(
        namespace: impl Into<Text>,
        key: impl Into<Text>,
        value: impl Into<AttributeValue>,
    ) -> Self {
        Self { namespace: namespace.into(), key: key.into(), value: value.into() }
    }

    /// Puts it in the place of the one of the same key, or at the end; `false` if there is no room.
    pub(crate) fn set_in(self, list: &mut Vec<Self>) -> bool {
        let known = list.iter_mut().find(|m| m.namespace == self.namespace && m.key == self.key);
        if let Some(slot) = known {
            *slot = self;
            return true;
        }
        let room = list.len() < Attributes::MAX;
        if room {
            list.push(self);
        }
        room
    }
}
