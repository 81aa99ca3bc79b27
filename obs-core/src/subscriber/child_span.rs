use std::fmt::{self, Write as _};

use smallvec::SmallVec;
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Timestamp;
use crate::context::{RequestContext, current_span_id, replace_span};
use crate::id::SpanId;
use crate::span::Parent;
use crate::trace::{
    AttributeValue, Attributes, SpanEvent, SpanKind, SpanRecord, Status, Text, Tracer,
};

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
struct OpenSpan {
    span: SpanRecord,
    tracer: Tracer,
}

impl<S> Layer<S> for ChildSpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        let Some(parent) = parent(attrs, &ctx) else { return };
        let open = OpenSpan::new(attrs, parent);
        if let Some(registered) = ctx.span(id) {
            registered.extensions_mut().insert(open);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        if with_open(id, &ctx, |_| ()).is_some() {
            // Before the lock is taken: the `Debug` of a value may itself write an event.
            let mut fields = Fields::default();
            values.record(&mut fields);
            with_open(id, &ctx, |open| fields.apply_to(&mut open.span));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if event.is_contextual() && !Parent::is_recording() {
            return;
        }
        let Some(id) = ctx.event_span(event).map(|span| span.id()) else { return };
        let Some(tracer) = with_open(&id, &ctx, |open| open.tracer.clone()) else { return };
        let at = tracer.clock().wall();
        let mut fields = Fields::default();
        event.record(&mut fields);
        with_open(&id, &ctx, |open| add_event(&mut open.span, event.metadata(), at, fields));
    }

    fn on_enter(&self, id: &span::Id, ctx: Context<'_, S>) {
        let Some(span) = with_open(id, &ctx, |open| (open.span.trace_id, open.span.span_id)) else {
            return;
        };
        // In another request, or in none, it is not the current span of that.
        if RequestContext::with_current(|request| request.trace_id() == span.0) == Some(true) {
            entered::push(span.1);
        }
    }

    fn on_exit(&self, id: &span::Id, ctx: Context<'_, S>) {
        let ids = with_open(id, &ctx, |open| (open.span.span_id, open.span.parent_span_id));
        if let Some((span_id, parent)) = ids {
            entered::pop(span_id, parent);
        }
    }

    fn on_close(&self, id: span::Id, ctx: Context<'_, S>) {
        let open = ctx.span(&id).and_then(|span| span.extensions_mut().remove::<OpenSpan>());
        if let Some(OpenSpan { mut span, tracer, .. }) = open {
            Parent::end(&mut span, &tracer);
            tracer.export(span);
        }
    }
}

/// The span under which a new one belongs: the explicit parent, else the one the thread works in.
fn parent<S>(attrs: &span::Attributes<'_>, ctx: &Context<'_, S>) -> Option<Parent>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    match attrs.parent() {
        Some(id) => with_open(id, ctx, |open| Parent {
            trace_id: open.span.trace_id,
            span_id: open.span.span_id,
            tracer: open.tracer.clone(),
        }),
        None if attrs.is_root() => None,
        None => Parent::current(),
    }
}

fn with_open<S, R>(
    id: &span::Id,
    ctx: &Context<'_, S>,
    look: impl FnOnce(&mut OpenSpan) -> R,
) -> Option<R>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    ctx.span(id)?.extensions_mut().get_mut::<OpenSpan>().map(look)
}

impl OpenSpan {
    fn new(attrs: &span::Attributes<'_>, parent: Parent) -> Self {
        let mut span = parent.begin(attrs.metadata().name(), SpanKind::Internal);
        let mut fields = Fields::default();
        attrs.record(&mut fields);
        fields.apply_to(&mut span);
        Self { span, tracer: parent.tracer }
    }
}

/// The spans that this thread has entered, each with the one that was current before.
mod entered {
    use std::cell::RefCell;

    use super::{SpanId, current_span_id, replace_span};

    thread_local! {
        static ENTERED: RefCell<Vec<(SpanId, Option<SpanId>)>> = const { RefCell::new(Vec::new()) };
    }

    /// A thread enters no more spans at once, unless it leaves them on another thread.
    const MAX: usize = 256;

    pub(super) fn push(span: SpanId) {
        let before = replace_span(Some(span));
        let _ = ENTERED.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            if stack.len() >= MAX {
                stack.remove(0);
            }
            stack.push((span, before));
        });
    }

    /// Leaves `span`. `tracing` allows any order: the one entered next after it takes over its
    /// memory of what was before.
    pub(super) fn pop(span: SpanId, parent: Option<SpanId>) {
        let left = ENTERED.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let at = stack.iter().rposition(|(entered, _)| *entered == span)?;
            let (_, before) = stack.remove(at);
            match stack.get_mut(at) {
                Some(next) => {
                    next.1 = before;
                    None
                }
                None => Some(before),
            }
        });
        match left {
            Ok(Some(before)) => {
                replace_span(before);
            }
            // It was entered on another thread: the request's state came here with it.
            _ if current_span_id() == Some(span) => {
                replace_span(parent);
            }
            _ => {}
        }
    }
}

fn add_event(span: &mut SpanRecord, metadata: &Metadata<'_>, at: Timestamp, fields: Fields) {
    let (mut message, mut error) = (None, None);
    let mut attributes = Attributes::with_capacity(fields.0.len() + 1);
    attributes.push("level", metadata.level().as_str());
    for (name, value) in fields.0 {
        match (name, value) {
            ("message", AttributeValue::Text(text)) => message = Some(text),
            ("error", AttributeValue::Text(text)) => error = Some(text),
            (name, value) => attributes.set(name, value),
        }
    }
    if *metadata.level() == Level::ERROR && !span.status.is_error() {
        span.status = Status::Error(error.clone().or_else(|| message.clone()).unwrap_or_default());
    }
    let name = match (error, message) {
        (Some(error), message) => {
            attributes.set("exception.message", error);
            message.into_iter().for_each(|message| attributes.set("message", message));
            "exception".into()
        }
        (None, Some(message)) => message,
        (None, None) => Text::from(metadata.name()),
    };
    let mut event = SpanEvent::new(name, at);
    event.attributes = attributes;
    span.add_event(event);
}

/// The fields of a span or event, in order.
#[derive(Default)]
struct Fields(SmallVec<[(&'static str, AttributeValue); 8]>);

impl Fields {
    fn push(&mut self, field: &Field, value: impl Into<AttributeValue>) {
        self.0.push((field.name(), value.into()));
    }

    /// Puts each field of a span where it belongs.
    fn apply_to(self, span: &mut SpanRecord) {
        for (name, value) in self.0 {
            match (name, value) {
                ("otel.name", AttributeValue::Text(text)) => span.name = text,
                ("otel.kind", AttributeValue::Text(text)) => {
                    span.kind = SpanKind::from_name(&text).unwrap_or(span.kind);
                }
                ("otel.status_code", AttributeValue::Text(code)) => set_status(span, &code),
                ("otel.status_message" | "otel.status_description", AttributeValue::Text(text)) => {
                    span.status = Status::Error(text);
                }
                (name, value) => set_field(span, name, value),
            }
        }
    }
}

fn set_status(span: &mut SpanRecord, code: &str) {
    if code.eq_ignore_ascii_case("ok") {
        span.status = Status::Ok;
    } else if code.eq_ignore_ascii_case("error") && !span.status.is_error() {
        span.status = Status::error("");
    }
}

fn set_field(span: &mut SpanRecord, name: &'static str, value: AttributeValue) {
    if let Some(key) = name.strip_prefix("annotation.") {
        span.annotate(key, value);
    } else if let Some(rest) = name.strip_prefix("metadata.") {
        let default = (SpanRecord::DEFAULT_NAMESPACE, rest);
        let (namespace, key) = rest.split_once('.').unwrap_or(default);
        span.metadata(namespace, key, value);
    } else {
        span.attributes.set(name, value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, bounded(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, bounded(format_args!("{value}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.push(field, bounded(format_args!("{value}")));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }
}

/// Formats until 4096 bytes are full; what is left is not even formatted.
fn bounded(arguments: fmt::Arguments<'_>) -> String {
    const MAX: usize = 4096;

    struct Bounded(String);

    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = MAX - self.0.len();
            if text.len() <= room {
                self.0.push_str(text);
                return Ok(());
            }
            let mut end = room;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            self.0.push_str(&text[..end]);
            Err(fmt::Error)
        }
    }

    let mut text = Bounded(String::new());
    // The only error is the one above: the text is full.
    let _ = text.write_fmt(arguments);
    text.0
}

#[cfg(test)]
mod tests;
