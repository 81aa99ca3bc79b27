use tracing_core::field::Field;
use tracing_core::span::{Attributes, Record};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::visitor::Each;
use crate::log::{Fields, ValueRef};

/// The encoded fields of a span; lives in the registry.
struct SpanFields(Fields);

/// Encodes the fields a new span has.
pub(super) fn keep<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, attributes: &Attributes<'_>) {
    // Before the lock is taken: the `Debug` of a value may itself write an event.
    let mut fields = Fields::default();
    attributes.record(&mut Each(|field: &Field, value: ValueRef<'_>| {
        fields.set(field.name(), value);
    }));
    if !fields.is_empty() {
        span.extensions_mut().insert(SpanFields(fields));
    }
}

/// Replaces or adds the fields that were recorded later.
pub(super) fn update<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, values: &Record<'_>) {
    let mut new = Fields::default();
    values.record(&mut Each(|field: &Field, value: ValueRef<'_>| {
        new.set(field.name(), value);
    }));
    let mut extensions = span.extensions_mut();
    match extensions.get_mut::<SpanFields>() {
        Some(SpanFields(fields)) => fields.merge(&new),
        None => extensions.insert(SpanFields(new)),
    }
}

/// Shows the fields of each span the event is in, from the inside out.
pub(super) fn for_each<S>(
    event: &Event<'_>,
    context: &Context<'_, S>,
    mut show: impl FnMut(&Fields),
) where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    for span in context.event_scope(event).into_iter().flatten() {
        if let Some(SpanFields(fields)) = span.extensions().get() {
            show(fields);
        }
    }
}
