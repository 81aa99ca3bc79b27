use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::ConfigError;
use crate::environment::Environment;
use crate::id::{IdGenerator, SpanId, TraceId};
use crate::log::Redactor;
use crate::shard::Sum;

use super::exporter::SpanExporter;
use super::ledger::SpanLedger;
use super::queue::{Finished, Queue};
use super::record::SpanRecord;
use super::sampler::{Decision, Sampler, SamplingInput};
use super::settings::BatchSettings;

/// Decides which traces are recorded and takes finished spans to the exporter; cheap to clone.
///
/// No method that a request calls blocks. When the last handle goes, the waiting spans are still
/// exported; only [`Tracer::shutdown`] waits for that.
///
/// ```
/// use std::time::Duration;
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_core::trace::{MemoryExporter, Sampler, SamplingInput, SpanKind, SpanRecord, Tracer};
///
/// let memory = MemoryExporter::default();
/// let tracer = Tracer::builder().sampler(Sampler::always_on()).exporter(memory.clone()).build()?;
/// let (trace_id, span_id) = (tracer.new_trace_id(), tracer.new_span_id());
/// if tracer.decide(&SamplingInput::new(trace_id, "orders")).sampled {
///     tracer.export(SpanRecord::new("GET /orders", SpanKind::Server, trace_id, span_id));
/// } else {
///     tracer.sampled_out();
/// }
/// assert!(tracer.shutdown(Duration::from_secs(5)));
/// assert_eq!(tracer.ledger().exported, 1);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sampler: Sampler,
    clock: Clock,
    ids: IdGenerator,
    /// `None` without an exporter: nothing is recorded then.
    queue: Option<Arc<Queue>>,
    sampled_out: Sum,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close();
        }
    }
}

impl Tracer {
    /// A tracer with OpenTelemetry's defaults and no exporter.
    #[must_use]
    pub fn builder() -> TracerBuilder {
        TracerBuilder::default()
    }

    /// A tracer that records nothing; it still decides and makes ids, for those who are called.
    #[must_use]
    pub fn disabled() -> Self {
        Self(Arc::new(Inner {
            sampler: Sampler::default(),
            clock: Clock::system(),
            ids: IdGenerator::system(),
            queue: None,
            sampled_out: Sum::default(),
        }))
    }

    /// Whether there is an exporter; without one no span needs to be built.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.0.queue.is_some()
    }

    /// What decides about traces.
    #[inline]
    #[must_use]
    pub fn sampler(&self) -> &Sampler {
        &self.0.sampler
    }

    /// Asks the sampler about a request.
    #[inline]
    #[must_use]
    pub fn decide(&self, input: &SamplingInput<'_>) -> Decision {
        self.0.sampler.decide(input)
    }

    /// Takes a finished span of a sampled trace. Never blocks; counts what it cannot take.
    pub fn export(&self, span: SpanRecord) {
        self.take(Finished::Record(span), false);
    }

    /// Takes the request span of a trace that is not sampled, because the request ended badly.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::trace::{MemoryExporter, Sampler, SpanKind, SpanRecord, Tracer};
    ///
    /// let spans = MemoryExporter::default();
    /// let tracer = Tracer::builder()
    ///     .sampler(Sampler::always_off())
    ///     .boxed_exporter(Box::new(spans.clone()))
    ///     .build()?;
    /// // It was sampled out, and then it failed.
    /// let (trace, span) = (tracer.new_trace_id(), tracer.new_span_id());
    /// tracer.export_upgraded(SpanRecord::new("GET /orders", SpanKind::Server, trace, span));
    /// assert!(tracer.flush(Duration::from_secs(1)));
    /// assert_eq!((spans.spans().len(), tracer.ledger().upgraded), (1, 1));
    /// assert!(!Tracer::disabled().is_recording());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn export_upgraded(&self, span: SpanRecord) {
        self.take(Finished::Record(span), true);
    }

    /// As [`export`](Self::export), or [`export_upgraded`](Self::export_upgraded), for a span that
    /// `make` makes on the exporter's thread: the caller hands over what it knows and spends no
    /// time on attributes.
    ///
    /// What `make` holds lives until then; it must not hold a telemetry, which would not end.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::trace::{MemoryExporter, SpanKind, SpanRecord, Tracer};
    ///
    /// let spans = MemoryExporter::default();
    /// let tracer = Tracer::builder().exporter(spans.clone()).build()?;
    /// let (trace, span) = (tracer.new_trace_id(), tracer.new_span_id());
    /// // The record is made on the exporter's thread.
    /// tracer.export_later(false, move || SpanRecord::new("GET /orders", SpanKind::Server, trace, span));
    /// assert!(tracer.flush(Duration::from_secs(1)));
    /// assert_eq!(spans.spans().len(), 1);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn export_later(&self, upgraded: bool, make: impl FnOnce() -> SpanRecord + Send + 'static) {
        self.take(Finished::Later(Box::new(make)), upgraded);
    }

    fn take(&self, span: Finished, upgraded: bool) {
        if let Some(queue) = &self.0.queue {
            queue.push(span, upgraded);
        }
    }

    /// Counts a request that ended without its span being built.
    #[inline]
    pub fn sampled_out(&self) {
        if self.0.queue.is_some() {
            self.0.sampled_out.add(1);
        }
    }

    /// The clock that spans are measured with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// An id for a new trace.
    #[must_use]
    pub fn new_trace_id(&self) -> TraceId {
        self.0.ids.trace_id(&self.0.clock)
    }

    /// An id for a new span.
    #[must_use]
    pub fn new_span_id(&self) -> SpanId {
        self.0.ids.span_id()
    }

    /// What became of the spans so far.
    #[must_use]
    pub fn ledger(&self) -> SpanLedger {
        let Some(queue) = &self.0.queue else { return SpanLedger::default() };
        let state = queue.state();
        let sampled_out = self.0.sampled_out.get();
        SpanLedger {
            created: state.created + sampled_out,
            exported: state.exported,
            sampled_out,
            upgraded: state.upgraded,
            dropped: state.dropped,
            pending: state.pending(),
            last_error: state.last_error.clone(),
        }
    }

    /// Blocks until the spans ended so far are exported or dropped; `false` if that takes longer
    /// than `limit`.
    ///
    /// In async code call it on a blocking thread; nothing is lost if the caller stops waiting.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        self.0.queue.as_ref().is_none_or(|queue| queue.flush(limit))
    }

    /// Exports what waits and ends the exporter; `false` if that takes longer than `limit`.
    ///
    /// It returns by then even if the exporter hangs: spans without a fate count as dropped, and the
    /// exporter's thread is left to itself. Later spans are dropped; a second call changes nothing.
    pub fn shutdown(&self, limit: Duration) -> bool {
        self.0.queue.as_ref().is_none_or(|queue| queue.shutdown(limit))
    }
}

/// Builds a [`Tracer`].
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::environment::Environment;
/// use obs_core::id::IdGenerator;
/// use obs_core::log::Redactor;
/// use obs_core::trace::{BatchSettings, MemoryExporter, Sampler, Tracer};
///
/// let spans = MemoryExporter::default();
/// let tracer = Tracer::builder()
///     .sampler(Sampler::ratio(0.05)?)
///     .exporter(spans.clone())
///     .batch(BatchSettings::from_environment(&Environment::empty())?)
///     .clock(Clock::system())
///     .ids(IdGenerator::system())
///     .redactor(Redactor::new())
///     .build()?;
/// assert!(tracer.is_recording());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug, Default)]
pub struct TracerBuilder {
    sampler: Sampler,
    exporter: Option<Box<dyn SpanExporter>>,
    batch: BatchSettings,
    clock: Clock,
    ids: Option<IdGenerator>,
    redactor: Redactor,
}

impl TracerBuilder {
    /// Sets the sampler; by default [`Sampler::default`].
    #[must_use]
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Sets where spans go; by default nowhere.
    #[must_use]
    pub fn exporter(self, exporter: impl SpanExporter) -> Self {
        self.boxed_exporter(Box::new(exporter))
    }

    /// Sets where spans go.
    ///
    /// ```
    /// use obs_core::trace::{MemoryExporter, SpanExporter, Tracer};
    ///
    /// let exporter: Box<dyn SpanExporter> = Box::new(MemoryExporter::default());
    /// assert!(Tracer::builder().boxed_exporter(exporter).build()?.is_recording());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn boxed_exporter(mut self, exporter: Box<dyn SpanExporter>) -> Self {
        self.exporter = Some(exporter);
        self
    }

    /// Sets how spans are batched. Default [`BatchSettings::default`].
    #[must_use]
    pub const fn batch(mut self, batch: BatchSettings) -> Self {
        self.batch = batch;
        self
    }

    /// Sets the clock; by default the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the source of ids; by default the system's.
    #[must_use]
    pub fn ids(mut self, ids: IdGenerator) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Sets what is hidden in spans, by key and by pattern as in lines, before they are exported; by
    /// default [`Redactor::new`].
    ///
    /// Keys are compared as lines write them: `http.request.header.set-cookie` ends in `_cookie`.
    #[must_use]
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Takes the sampler and the batch settings from `OTEL_TRACES_SAMPLER[_ARG]` and `OTEL_BSP_*`,
    /// where they are set. Call [`TracerBuilder::clock`] before.
    ///
    /// # Errors
    /// [`ConfigError`] naming the variable whose value cannot be used.
    pub fn from_environment(mut self, environment: &Environment) -> Result<Self, ConfigError> {
        if let Some(sampler) = Sampler::from_environment(environment, &self.clock)? {
            self.sampler = sampler;
        }
        self.batch = BatchSettings::from_environment(environment)?;
        Ok(self)
    }

    /// Builds the tracer and, with an exporter, starts its thread.
    ///
    /// # Errors
    /// [`ConfigError`] for batch settings that do not fit together, or when the thread cannot be
    /// started.
    pub fn build(self) -> Result<Tracer, ConfigError> {
        self.batch.check()?;
        let (batch, redactor) = (self.batch, self.redactor);
        let queue = self.exporter.map(|exporter| start(batch, exporter, redactor)).transpose()?;
        Ok(Tracer(Arc::new(Inner {
            sampler: self.sampler,
            clock: self.clock,
            ids: self.ids.unwrap_or_else(IdGenerator::system),
            queue,
            sampled_out: Sum::default(),
        })))
    }
}

fn start(
    batch: BatchSettings,
    exporter: Box<dyn SpanExporter>,
    redactor: Redactor,
) -> Result<Arc<Queue>, ConfigError> {
    let queue = Arc::new(Queue::new(batch));
    let worker = Arc::clone(&queue);
    std::thread::Builder::new()
        .name("obs-spans".to_owned())
        .spawn(move || worker.run(exporter, &redactor))
        .map_err(|error| ConfigError::new("span_exporter", error, "its thread must start"))?;
    Ok(queue)
}

#[cfg(test)]
mod tests;
