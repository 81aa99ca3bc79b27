use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Interest, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::ChildSpanLayer;
use super::child_span::OpenSpan;
use super::event_line::EventLine;
use super::owner::{Fate, Owner};
use super::span_fields::{self, SpanFields};
use crate::log::with_buffer;
use crate::output::DropReason;
use crate::telemetry::{Telemetry, class_of, live_filters};

/// Writes a line for each event, and makes spans children of the request's span.
///
/// Which service a line belongs to, and its ids, come from the context in which the event happens:
/// the current request, else the telemetry entered on the thread, else the process's
/// ([`Telemetry::install_global`](crate::telemetry::Telemetry::install_global)). Without any of
/// them there is no line.
///
/// Fields stand flat on the line: those of the event, then those of its spans from the inside out,
/// each key once. A span's fields are encoded when they are recorded, not for each line.
///
/// [`ObsLayer::new`] lets the layer stand beside others and leaves them every event they want:
///
/// ```
/// use obs_core::subscriber::ObsLayer;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(ObsLayer::new());
/// # let _ = subscriber;
/// ```
#[derive(Clone, Debug, Default)]
pub struct ObsLayer {
    child_spans: ChildSpanLayer,
    /// Whether events that no telemetry of the process wants are of interest to nobody.
    alone: bool,
}

impl ObsLayer {
    /// A layer for a subscriber that has others.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A layer for a subscriber that has no other: what no telemetry wants costs next to nothing.
    ///
    /// ```
    /// use obs_core::subscriber::ObsLayer;
    /// use tracing_subscriber::prelude::*;
    ///
    /// let subscriber = tracing_subscriber::registry().with(ObsLayer::alone());
    /// tracing::subscriber::with_default(subscriber, || tracing::info!("nobody asked for a line"));
    /// ```
    #[must_use]
    pub fn alone() -> Self {
        Self { alone: true, ..Self::default() }
    }
}

impl<S> Layer<S> for ObsLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if !self.alone || live_filters::want(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        !self.alone || live_filters::want(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.alone.then(live_filters::max_level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        // Fields and attributes are taken before the lock: the `Debug` of a value may itself write
        // an event.
        let mut fields = SpanFields::default();
        if !metadata.fields().is_empty() && Owner::wants(metadata) {
            fields.take(attributes);
        }
        let child = OpenSpan::begin(attributes, &context);
        if fields.is_empty() && child.is_none() {
            return;
        }
        if let Some(span) = context.span(id) {
            let mut extensions = span.extensions_mut();
            if !fields.is_empty() {
                extensions.insert(fields);
            }
            if let Some(child) = child {
                extensions.insert(child);
            }
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && Owner::wants(span.metadata())
        {
            span_fields::update(&span, values);
        }
        self.child_spans.on_record(id, values, context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let owner = Owner::current();
        if let Some((telemetry, fate)) = owner.verdict(event.metadata())
            && let Some(suppressed) = passes_call_site(telemetry, event)
        {
            with_buffer(|buffer| {
                let mut line = EventLine::new(buffer, telemetry, event, owner.ids());
                span_fields::for_each(event, &context, |fields| line.span(fields));
                line.suppressed(suppressed);
                let line = line.finish();
                match fate {
                    Fate::Written => {
                        telemetry.output().write(class_of(*event.metadata().level()), line);
                    }
                    Fate::Recorded(recorder) => recorder.record(line),
                }
            });
        }
        self.child_spans.on_event(event, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.child_spans.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.child_spans.on_exit(id, context);
    }
}

/// How many lines of the event's call site were suppressed before it; `None` if it is itself.
fn passes_call_site(telemetry: &Telemetry, event: &Event<'_>) -> Option<u64> {
    let Some(call_sites) = telemetry.call_sites() else { return Some(0) };
    let metadata = event.metadata();
    let passed = call_sites.pass(metadata.callsite(), telemetry.clock().now());
    if passed.is_none() {
        telemetry.output().dropped(class_of(*metadata.level()), DropReason::RateLimited, 1);
    }
    passed
}
