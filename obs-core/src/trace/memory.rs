use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::exporter::{ExportReport, SpanExporter};
use super::record::SpanRecord;

/// Keeps exported spans in memory, for tests; clones share what is kept.
///
/// ```
/// use std::time::Duration;
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_core::trace::{MemoryExporter, SpanKind, SpanRecord, Tracer};
///
/// let memory = MemoryExporter::default();
/// let (clock, ids) = (Clock::system(), IdGenerator::seeded(7));
/// let tracer = Tracer::builder().exporter(memory.clone()).build()?;
/// tracer.export(SpanRecord::new("job", SpanKind::Internal, ids.trace_id(&clock), ids.span_id()));
/// assert!(tracer.flush(Duration::from_secs(5)));
/// assert_eq!(memory.spans()[0].name, "job");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryExporter(Arc<Mutex<Vec<SpanRecord>>>);

impl MemoryExporter {
    /// The spans exported so far.
    ///
    /// Spans are exported in batches: call [`Tracer::flush`](super::Tracer::flush) first.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only span of this name.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::trace::{MemoryExporter, SpanKind, SpanRecord, Tracer};
    ///
    /// let spans = MemoryExporter::default();
    /// let tracer = Tracer::builder().exporter(spans.clone()).build()?;
    /// let (trace, span) = (tracer.new_trace_id(), tracer.new_span_id());
    /// tracer.export(SpanRecord::new("GET /orders", SpanKind::Server, trace, span));
    /// tracer.flush(Duration::from_secs(1));
    /// assert_eq!(spans.span("GET /orders").kind, SpanKind::Server);
    /// spans.clear();
    /// assert!(spans.spans().is_empty());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[must_use]
    pub fn span(&self, name: &str) -> SpanRecord {
        let mut named: Vec<_> = self.spans().into_iter().filter(|s| s.name == *name).collect();
        assert_eq!(named.len(), 1, "spans named {name:?}");
        named.remove(0)
    }

    /// Forgets the spans exported so far.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl SpanExporter for MemoryExporter {
    fn export(&mut self, batch: &[SpanRecord], _: Duration) -> ExportReport {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(batch);
        ExportReport::new().exported(batch.len())
    }
}
