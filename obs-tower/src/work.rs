//! The one record of work that is no HTTP request: a message, an invocation.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use obs_core::clock::{Instant, Timestamp};
use obs_core::context::{RequestContext, Scoped};
use obs_core::log::{Line, LineHead, Value};
use obs_core::outcome::Outcome;
use obs_core::telemetry::{RequestLine, Telemetry};
use obs_core::trace::{SpanKind, SpanLink, SpanRecord, Status, Text};
use obs_emf::Shape;
use pin_project_lite::pin_project;

use crate::exchange::{End, PanicMessage, Verdict, milliseconds};

/// What all work of one kind has in common.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) telemetry: Telemetry,
    pub(crate) head: LineHead,
    pub(crate) span_name: Arc<str>,
    pub(crate) span_kind: SpanKind,
    /// Metrics whose first three values are the count, the faults and the latency.
    pub(crate) shape: Shape,
}

/// One piece of work; ended when it is dropped, if not before.
pub(crate) struct Work(Option<Record>);

struct Record {
    kind: Arc<Kind>,
    context: RequestContext,
    started: Instant,
    wall: Timestamp,
    fields: Vec<(&'static str, Value)>,
    attributes: Vec<(&'static str, Text)>,
    /// The values of the shape's further metrics.
    values: Vec<f64>,
}

impl Work {
    pub(crate) fn begin(kind: Arc<Kind>, context: RequestContext) -> Self {
        let clock = kind.telemetry.clock();
        let (started, wall) = (clock.now(), clock.wall());
        let (fields, attributes, values) = (Vec::new(), Vec::new(), Vec::new());
        Self(Some(Record { kind, context, started, wall, fields, attributes, values }))
    }

    /// Adds a field of the line.
    pub(crate) fn field(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(record) = &mut self.0 {
            record.fields.push((key, value.into()));
        }
    }

    /// Adds an attribute of the span.
    pub(crate) fn attribute(&mut self, key: &'static str, value: impl Into<Text>) {
        if let Some(record) = &mut self.0 {
            record.attributes.push((key, value.into()));
        }
    }

    /// Adds the value of the shape's next metric.
    pub(crate) fn value(&mut self, value: f64) {
        if let Some(record) = &mut self.0 {
            record.values.push(value);
        }
    }

    /// Makes the work's context the current one.
    #[cfg(feature = "lambda")]
    pub(crate) fn enter(&self) -> Option<obs_core::context::ContextGuard> {
        self.0.as_ref().map(|record| record.context.enter())
    }

    /// Watches `future`, which runs in the work's context.
    pub(crate) fn watch<F>(self, future: F) -> Watched<F> {
        let context = self.0.as_ref().map(|record| record.context.clone());
        let inner = match context {
            Some(context) => context.scope(future),
            None => Scoped::new(future, obs_core::context::Captured::default()),
        };
        Watched { inner, work: self }
    }

    pub(crate) fn finish(&mut self, end: End) {
        if let Some(record) = self.0.take() {
            record.finish(end);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.finish(End::Dropped);
    }
}

impl Record {
    fn finish(self, end: End) {
        let now = self.kind.telemetry.clock().now();
        let expired = self.context.deadline().is_some_and(|deadline| deadline.has_passed(now));
        let dropped =
            if expired { Outcome::DeadlineExceeded } else { Outcome::CancelledBeforeHeaders };
        let mut verdict = Verdict::of(&end, None, None, dropped);
        let recorded = self.context.take_recorded().map(|recorded| *recorded).unwrap_or_default();
        verdict.error_kind = recorded.error_kind.clone().or(verdict.error_kind);
        let elapsed = now - self.started;
        self.write_line(&verdict, &end, elapsed, &recorded);

        let tracer = self.kind.telemetry.tracer();
        if !tracer.is_recording() {
            return;
        }
        let sampled = self.context.is_sampled();
        if !sampled && !verdict.is_fault() {
            tracer.sampled_out();
            return;
        }
        let mut span = self.span(&verdict, elapsed);
        for (key, value) in recorded.annotations {
            span.annotate(key, value);
        }
        span.metadata = recorded.metadata;
        if sampled { tracer.export(span) } else { tracer.export_upgraded(span) }
    }

    fn write_line(
        &self,
        verdict: &Verdict,
        end: &End,
        elapsed: Duration,
        recorded: &obs_core::context::Recorded,
    ) {
        let Kind { telemetry, head, shape, .. } = &*self.kind;
        let timestamp = self.wall.saturating_add(elapsed);
        let head = RequestLine {
            timestamp,
            level: verdict.level(),
            head,
            ids: self.context.own_ids(),
            has_metrics: true,
        };
        let fields = |line: &mut Line<'_>| {
            for (key, value) in &self.fields {
                line.field(key, value.into());
            }
            line.str("outcome", verdict.outcome.as_str()).f64("duration_ms", milliseconds(elapsed));
            if let Some(kind) = &verdict.error_kind {
                line.str("error_kind", kind);
            }
            if let End::Panicked(panic) = end
                && let Some(text) = panic.as_deref()
            {
                line.str("error_message", text);
            }
            line.fields(&recorded.fields);
        };
        let fault = f64::from(u8::from(verdict.is_fault()));
        let mut values = vec![1.0, fault, milliseconds(elapsed)];
        values.extend(&self.values);
        let mut written: Option<usize> = None;
        telemetry.request_line_with_tails(&head, fields, |out, room| {
            let extras = &recorded.metrics[written.unwrap_or(0)..];
            let tail = match written {
                None => shape.encode_tail_with(out, timestamp, &[], &values, extras, room.bytes),
                Some(_) => shape.encode_extras(out, timestamp, &[], extras, room.bytes),
            };
            written = Some(written.unwrap_or(0) + tail.extras);
            tail.extras < extras.len()
        });
    }

    fn span(&self, verdict: &Verdict, elapsed: Duration) -> SpanRecord {
        let Self { kind, context, .. } = self;
        let name = Text::from(Arc::clone(&kind.span_name));
        let mut span = SpanRecord::new(name, kind.span_kind, context.trace_id(), context.span_id());
        span.parent_span_id = context.parent_span_id();
        span.parent_is_remote = span.parent_span_id.is_some();
        span.start = self.wall;
        span.end = self.wall.saturating_add(elapsed);
        let linked = |link: &obs_core::propagate::TraceParent| {
            Some(SpanLink::new(link.trace_id, link.parent_span?))
        };
        span.links = context.links().iter().filter_map(linked).collect();
        for (key, value) in &self.attributes {
            span.attributes.push(*key, value.clone());
        }
        span.attributes.push("outcome", verdict.outcome.as_str());
        if let Some(kind) = verdict.error_type() {
            span.attributes.push("error.type", kind);
        }
        if verdict.is_fault() {
            span.status = Status::error(verdict.outcome.as_str());
        }
        span
    }
}

pin_project! {
    /// A future whose work is recorded: when it ends, panics, or is dropped.
    ///
    /// A panic goes on after it is recorded.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::message::{MessageInfo, MessageObserver};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let telemetry = Telemetry::builder("billing").build()?;
    /// let observer = MessageObserver::new(&telemetry, "aws_sqs", "placed-orders")?;
    /// let attributes = BTreeMap::<String, String>::new();
    /// // Dropped before its end, the message was abandoned, and its line says so.
    /// let watched = observer.observe(&attributes, MessageInfo::new("m-1"), async { "7".parse::<u32>() });
    /// assert_eq!(watched.await?, 7);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub struct Watched<F> {
        #[pin]
        inner: Scoped<F>,
        work: Work,
    }
}

impl<F, T, E> Future for Watched<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match catch_unwind(AssertUnwindSafe(|| this.inner.poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                let end = match &result {
                    Ok(_) => End::Complete,
                    Err(_) => End::ServiceError(type_name::<E>()),
                };
                this.work.finish(end);
                Poll::Ready(result)
            }
            Err(payload) => {
                this.work.finish(End::Panicked(PanicMessage::of(payload.as_ref())));
                resume_unwind(payload)
            }
        }
    }
}

impl<F> fmt::Debug for Watched<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}
