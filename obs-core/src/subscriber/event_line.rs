use std::fmt;

use tracing_core::Event;
use tracing_core::field::Field;

use super::visitor::Each;
use crate::log::{Fields, Ids, Line, ValueRef};
use crate::telemetry::Telemetry;

const MESSAGE: &str = "message";

/// The line of an event, begun as soon as its message is known, which stands before every field.
pub(super) struct EventLine<'a> {
    telemetry: &'a Telemetry,
    event: &'a Event<'a>,
    ids: Ids<'a>,
    /// Until the line is begun.
    buffer: Option<&'a mut Vec<u8>>,
    line: Option<Line<'a>>,
}

impl<'a> EventLine<'a> {
    /// Encodes the head and the fields of `event`.
    pub(super) fn new(
        buffer: &'a mut Vec<u8>,
        telemetry: &'a Telemetry,
        event: &'a Event<'a>,
        ids: Ids<'a>,
    ) -> Self {
        let mut line = Self { telemetry, event, ids, buffer: Some(buffer), line: None };
        // The macros put the message first; an event built otherwise is visited for it.
        let mut fields = event.metadata().fields().iter();
        if fields.next().is_some_and(|field| field.name() != MESSAGE)
            && fields.any(|field| field.name() == MESSAGE)
        {
            event.record(&mut Each(|field: &Field, value: ValueRef<'_>| {
                if field.name() == MESSAGE {
                    line.message(value);
                }
            }));
        }
        event.record(&mut Each(|field: &Field, value: ValueRef<'_>| {
            if field.name() == MESSAGE {
                line.message(value);
            } else if let Some(line) = line.begun() {
                line.field(field.name(), value);
            }
        }));
        line
    }

    /// Adds the fields of a span, except keys that are there already.
    pub(super) fn span(&mut self, fields: &Fields) {
        if let Some(line) = self.begun() {
            line.fields(fields);
        }
    }

    /// Tells how many lines of the same call site were left out before this one.
    pub(super) fn suppressed(&mut self, count: u64) {
        if count > 0
            && let Some(line) = self.begun()
        {
            line.u64("suppressed", count);
        }
    }

    /// Ends the line and returns it.
    pub(super) fn finish(mut self) -> &'a [u8] {
        self.begun();
        self.line.map_or(&[], Line::finish)
    }

    /// The line, with an empty message if none came.
    fn begun(&mut self) -> Option<&mut Line<'a>> {
        if self.line.is_none() {
            self.begin(format_args!(""));
        }
        self.line.as_mut()
    }

    fn message(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Format(arguments) => self.begin(arguments),
            ValueRef::Str(text) | ValueRef::Own(text) => self.begin(format_args!("{text}")),
            ValueRef::Bool(value) => self.begin(format_args!("{value}")),
            ValueRef::I64(value) => self.begin(format_args!("{value}")),
            ValueRef::U64(value) => self.begin(format_args!("{value}")),
            ValueRef::I128(value) => self.begin(format_args!("{value}")),
            ValueRef::U128(value) => self.begin(format_args!("{value}")),
            ValueRef::F64(value) => self.begin(format_args!("{value}")),
            ValueRef::Error(error) => self.begin(format_args!("{error}")),
            // `tracing` has no such values.
            ValueRef::Bytes(_) | ValueRef::Thousandths(_) => self.begin(format_args!("")),
            ValueRef::Null => self.begin(format_args!("")),
        }
    }

    fn begin(&mut self, message: fmt::Arguments<'_>) {
        let Some(buffer) = self.buffer.take() else { return };
        let metadata = self.event.metadata();
        let now = self.telemetry.clock().wall();
        let format = self.telemetry.line_format();
        let level = *metadata.level();
        let mut line = Line::begin(buffer, format, now, level, message, metadata.target());
        line.ids(&self.ids);
        self.line = Some(line);
    }
}
