use tracing_core::field::Field;
use tracing_core::span::{Attributes, Record};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::visitor::Each;
use crate::log::{Fields, ValueRef};

/// The encoded fields of a span; lives in the registry.
#[derive(Default)]
pub(super) struct SpanFields(Fields);

impl SpanFields {
    /// Encodes the fields a new span has.
    // In place, because they are large to move.
    pub(super) fn take(&mut self, attributes: &Attributes<'_>) {
        self.0.set_all(|set| {
            attributes.record(&mut Each(|field: &Field, value: ValueRef<'_>| {
                set(field.name(), value);
            }));
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Replaces or adds the fields that were recorded later.
pub(super) fn update<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, values: &Record<'_>) {
    // Before the lock is taken: the `Debug` of a value may itself write an event.
    let mut new = Fields::default();
    new.set_all(|set| {
        values.record(&mut Each(|field: &Field, value: ValueRef<'_>| set(field.name(), value)));
    });
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
