use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use obs_core::trace::{ExportReport, SpanExporter, SpanRecord};

use crate::name::Name;
use crate::record::Span;

/// Keeps the spans of all services; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// The exporter of one service.
    pub(super) fn of(&self, service: Name) -> ServiceCollector {
        ServiceCollector { service, all: self.clone() }
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
pub(super) struct ServiceCollector {
    service: Name,
    all: Collector,
}

impl SpanExporter for ServiceCollector {
    fn export(&mut self, batch: &[SpanRecord], _limit: Duration) -> ExportReport {
        let mut spans = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.extend(batch.iter().map(|span| Span::new(self.service.as_str(), span)));
        ExportReport::new().exported(batch.len())
    }
}
