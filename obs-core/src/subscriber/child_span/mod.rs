mod entered;
mod fields;

use tracing_core::{Event, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use self::fields::{Fields, Visitor, add_event, apply};
use crate::context::{current_span_id, replace_span};
use crate::span::Parent;
use crate::trace::{Attributes, SpanKind, SpanRecord, Tracer};

/// Turns the `tracing` spans of a sampled request into children of its span.
///
/// Outside a request, and in one whose trace is not sampled, it builds nothing. Fields become
/// attributes; the names `otel.name`, `otel.kind`, `otel.status_code` and `otel.status_message` set
/// what they say, `annotation.<key>` becomes an annotation and `metadata.<namespace>.<key>` metadata.
/// Events become span events; one of level ERROR, such as `#[instrument(err)]` writes, also fails
/// the span. A text longer than 4096 bytes is cut.
///
/// A span without a request of its own (`parent: None`, or a thread to which the context was not
/// taken) is not built, unless its explicit parent is.
///
/// `ObsLayer` contains it; use it alone beside a layer that writes lines.
///
/// ```
/// use obs_core::subscriber::ChildSpanLayer;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(ChildSpanLayer::default());
/// tracing::subscriber::with_default(subscriber, || tracing::info_span!("work").in_scope(|| 7));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ChildSpanLayer;

/// A child span between its creation and its end; lives in the registry.
///
/// It ends when the registry drops it, which it does when the last handle of the span is gone.
pub(super) struct OpenSpan {
    /// `None` once it is handed over.
    span: Option<SpanRecord>,
    tracer: Tracer,
}

impl<S> Layer<S> for ChildSpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        if let Some(open) = OpenSpan::begin(attrs, &ctx)
            && let Some(registered) = ctx.span(id)
        {
            registered.extensions_mut().insert(open);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        if with_open(id, &ctx, |_| ()).is_some() {
            // Before the lock is taken: the `Debug` of a value may itself write an event.
            let fields = Fields::collect(|visitor| values.record(visitor));
            with_open(id, &ctx, |span| fields.apply_to(span));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if event.is_contextual() && !Parent::is_recording() {
            return;
        }
        let Some(id) = ctx.event_span(event).map(|span| span.id()) else { return };
        let Some(tracer) = tracer(&id, &ctx) else { return };
        let at = tracer.clock().wall();
        let fields = Fields::collect(|visitor| event.record(visitor));
        with_open(&id, &ctx, |span| add_event(span, event.metadata(), at, fields));
    }

    fn on_enter(&self, id: &span::Id, ctx: Context<'_, S>) {
        // In another request, or in none, it is not the current span of that; and in one that is
        // not recorded there is none.
        if Parent::is_recording()
            && let Some((trace, span)) = with_open(id, &ctx, |span| (span.trace_id, span.span_id))
            && Parent::is_recording_in(trace)
        {
            entered::push(id, span);
        }
    }

    fn on_exit(&self, id: &span::Id, ctx: Context<'_, S>) {
        if !entered::pop(id)
            && Parent::is_recording()
            && let Some((span, parent)) =
                with_open(id, &ctx, |span| (span.span_id, span.parent_span_id))
            && current_span_id() == Some(span)
        {
            // It was entered on another thread: the request's state came here with it.
            replace_span(parent);
        }
    }
}

/// The span under which a new one belongs: the explicit parent, else the one the thread works in.
fn parent<S>(attrs: &span::Attributes<'_>, ctx: &Context<'_, S>) -> Option<Parent>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    match attrs.parent() {
        Some(id) => {
            let tracer = tracer(id, ctx)?;
            with_open(id, ctx, |span| Parent {
                trace_id: span.trace_id,
                span_id: span.span_id,
                tracer,
            })
        }
        None if attrs.is_root() => None,
        None => Parent::current(),
    }
}

fn with_open<S, R>(
    id: &span::Id,
    ctx: &Context<'_, S>,
    look: impl FnOnce(&mut SpanRecord) -> R,
) -> Option<R>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    ctx.span(id)?.extensions_mut().get_mut::<OpenSpan>()?.span.as_mut().map(look)
}

fn tracer<S>(id: &span::Id, ctx: &Context<'_, S>) -> Option<Tracer>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Some(ctx.span(id)?.extensions().get::<OpenSpan>()?.tracer.clone())
}

impl OpenSpan {
    /// Begins the span of `attrs`, if its parent is recorded.
    pub(super) fn begin<S>(attrs: &span::Attributes<'_>, ctx: &Context<'_, S>) -> Option<Self>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let parent = parent(attrs, ctx)?;
        let mut span = parent.begin(attrs.metadata().name(), SpanKind::Internal);
        span.attributes = Attributes::with_capacity(attrs.fields().len());
        // Nobody else knows of the span yet, so that its fields need not be gathered first.
        attrs.record(&mut Visitor(|name, value| apply(&mut span, name, value)));
        Some(Self { span: Some(span), tracer: parent.tracer })
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let Some(mut span) = self.span.take() {
            Parent::end(&mut span, &self.tracer);
            self.tracer.export(span);
        }
    }
}

#[cfg(test)]
mod tests;
