use tracing_core::Metadata;

use crate::context::{self, Captured};
use crate::log::{FlightRecorder, Ids};
use crate::telemetry::Telemetry;

/// Where a line goes.
#[derive(Clone, Copy)]
pub(super) enum Fate<'a> {
    Written,
    /// Kept until the request has ended.
    Recorded(&'a FlightRecorder),
}

/// Whom an event or span belongs to.
pub(super) struct Owner(Captured);

impl Owner {
    pub(super) fn current() -> Self {
        Self(Captured::current())
    }

    /// Whether the fields of a span may be asked for by a line.
    #[inline]
    pub(super) fn wants(metadata: &Metadata<'_>) -> bool {
        context::look(|current| verdict(current, metadata).is_some())
    }

    pub(super) fn telemetry(&self) -> Option<&Telemetry> {
        telemetry(&self.0)
    }

    /// What becomes of the line of an event.
    pub(super) fn verdict(&self, metadata: &Metadata<'_>) -> Option<(&Telemetry, Fate<'_>)> {
        verdict(&self.0, metadata)
    }

    pub(super) fn ids(&self) -> Ids<'_> {
        self.0.request().map_or_else(Ids::default, |request| Ids {
            correlation_id: Some(request.correlation_id()),
            trace_id: Some(request.trace_id()),
            span_id: self.0.span_id(),
            tenant_id: request.tenant_id(),
            user_id: request.user_id(),
        })
    }
}

fn telemetry(current: &Captured) -> Option<&Telemetry> {
    match current.telemetry() {
        Some(telemetry) => Some(telemetry),
        None => Telemetry::global(),
    }
}

fn verdict<'a>(
    current: &'a Captured,
    metadata: &Metadata<'_>,
) -> Option<(&'a Telemetry, Fate<'a>)> {
    let level = *metadata.level();
    let telemetry = telemetry(current)?;
    if telemetry.is_enabled(level, metadata.target()) {
        return Some((telemetry, Fate::Written));
    }
    let request = current.request()?;
    if request.debug_level().is_some_and(|most| level <= most) {
        return Some((telemetry, Fate::Written));
    }
    let recorder = request.flight_recorder()?;
    telemetry.records(level).then_some((telemetry, Fate::Recorded(recorder)))
}
