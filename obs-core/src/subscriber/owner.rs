use tracing_core::Metadata;

use crate::context::Captured;
use crate::log::Ids;
use crate::telemetry::{Telemetry, class_of};

/// Whom an event or span belongs to.
pub(super) struct Owner(Captured);

impl Owner {
    pub(super) fn current() -> Self {
        Self(Captured::current())
    }

    pub(super) fn telemetry(&self) -> Option<&Telemetry> {
        match self.0.telemetry() {
            Some(telemetry) => Some(telemetry),
            None => Telemetry::global(),
        }
    }

    /// The telemetry, if it wants what `metadata` describes.
    pub(super) fn telemetry_for(&self, metadata: &Metadata<'_>) -> Option<&Telemetry> {
        let level = *metadata.level();
        let telemetry = self.telemetry()?;
        let raised = || self.0.request()?.debug_level().filter(|most| level <= *most);
        (telemetry.is_enabled(level, metadata.target()) || raised().is_some()).then_some(telemetry)
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

    pub(super) fn write(&self, telemetry: &Telemetry, metadata: &Metadata<'_>, line: &[u8]) {
        telemetry.output().write(class_of(*metadata.level()), line);
    }
}
