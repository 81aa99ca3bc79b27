//! One service's telemetry as a value: its identity, its outputs, its tracer, its ledgers.
//!
//! ```
//! use std::time::Duration;
//!
//! use obs_core::telemetry::Telemetry;
//!
//! let telemetry = Telemetry::builder("orders").build()?;
//! let shutdown = telemetry.shutdown(Duration::from_secs(5));
//! assert!(shutdown.complete);
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod builder;
mod call_sites;
mod control;
#[cfg(feature = "debug-on-demand")]
mod debug_key;
mod debug_level;
mod filter;
pub(crate) mod live_filters;
mod looks;
mod report;
mod request_line;
mod self_metrics;
#[cfg(feature = "tokio")]
mod signal;
#[cfg(test)]
mod tests;
mod weak;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub use builder::TelemetryBuilder;
use call_sites::CallSites;
#[cfg(feature = "debug-on-demand")]
pub use debug_key::{DebugKey, DebugRefusal};
use filter::LineFilter;
pub use report::{SelfReport, ShutdownReport};
pub use request_line::RequestLine;
use self_metrics::Recorded;
#[cfg(feature = "tokio")]
pub use signal::shutdown_signal;
use tracing::Level;
pub use weak::WeakTelemetry;

use crate::clock::Clock;
use crate::control::Registry;
use crate::environment::Environment;
use crate::id::IdGenerator;
use crate::log::{FlightRecorder, Ids, Line, LineFormat, LineLevel, with_buffer};
use crate::metric::Recorder;
use crate::output::{Class, Output};
use crate::propagate::Propagators;
use crate::resource::Resource;
use crate::trace::Tracer;

/// The telemetry of one service; clones share it.
///
/// It is a value, not a global: several services, and several tests, run in one process without
/// mixing their identities.
///
/// ```
/// use std::time::Duration;
/// use obs_core::environment::Environment;
/// use obs_core::output::Output;
/// use obs_core::telemetry::Telemetry;
///
/// let (output, captured) = Output::captured();
/// let telemetry = Telemetry::builder("orders")
///     .environment(Environment::empty())
///     .output(output)
///     .build()?;
/// assert_eq!(telemetry.service_name(), "orders");
/// assert_eq!(telemetry.deployment_environment(), "local");
/// let report = telemetry.shutdown(Duration::from_secs(5));
/// assert!(report.complete);
/// # let _ = captured;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

/// Aligned, for the count of handles stands before it and changes with each request, while this is
/// mostly read.
#[repr(align(128))]
struct Inner {
    environment: Environment,
    resource: Resource,
    service_name: Arc<str>,
    deployment_environment: Arc<str>,
    clock: Clock,
    ids: IdGenerator,
    output: Output,
    format: LineFormat,
    filter: Arc<LineFilter>,
    tracer: Tracer,
    propagators: Propagators,
    recorder: Arc<dyn Recorder>,
    controls: Registry,
    call_sites: Option<CallSites>,
    /// The level down to which lines are recorded, and the bytes of each recorder.
    flight_recorder: Option<(Level, usize)>,
    #[cfg(feature = "debug-on-demand")]
    debug_key: Option<DebugKey>,
    self_metrics: Mutex<Recorded>,
    flush_hooks: Mutex<Vec<FlushHook>>,
    /// Set by the first shutdown, for those that follow.
    shutdown: Mutex<Option<ShutdownReport>>,
}

type FlushHook = Arc<dyn Fn(Duration) -> bool + Send + Sync>;

static GLOBAL: OnceLock<Telemetry> = OnceLock::new();

impl Telemetry {
    /// Starts to describe the telemetry of the service `service_name`.
    ///
    /// `OTEL_SERVICE_NAME` wins over this name, so that whoever runs the service may rename it;
    /// build with [`Environment::empty`](crate::environment::Environment::empty) to prevent that.
    #[must_use]
    pub fn builder(service_name: impl Into<String>) -> TelemetryBuilder {
        TelemetryBuilder::new(service_name.into())
    }

    /// The telemetry of the process, once one was installed.
    #[must_use]
    pub fn global() -> Option<&'static Self> {
        GLOBAL.get()
    }

    /// Makes this the telemetry of the process; `false` if there is one already.
    pub(crate) fn set_global(&self) -> bool {
        GLOBAL.set(self.clone()).is_ok()
    }

    /// The name of the service.
    #[must_use]
    pub fn service_name(&self) -> &str {
        &self.0.service_name
    }

    /// Where the service is deployed, such as `prod`: `deployment.environment.name` of
    /// `OTEL_RESOURCE_ATTRIBUTES`, else what the builder was told, else `local`.
    #[must_use]
    pub fn deployment_environment(&self) -> &str {
        &self.0.deployment_environment
    }

    /// The environment it was built with, for what is built upon it.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// The attributes of the service and its host.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.0.resource
    }

    /// The clock of every timestamp and duration.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Makes trace, span and correlation ids.
    #[must_use]
    pub fn ids(&self) -> &IdGenerator {
        &self.0.ids
    }

    /// Where lines go.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.0.output
    }

    /// What all lines of this service share.
    #[must_use]
    pub fn line_format(&self) -> &LineFormat {
        &self.0.format
    }

    /// Decides about traces and takes spans.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::environment::Environment;
    /// use obs_core::telemetry::Telemetry;
    /// use tracing::Level;
    ///
    /// let telemetry = Telemetry::builder("orders").environment(Environment::empty()).build()?;
    /// // No exporter is configured.
    /// assert!(!telemetry.tracer().is_recording());
    /// assert_eq!(telemetry.resource().get("service.name"), Some("orders"));
    /// assert_eq!(telemetry.propagators().correlation_header(), "x-correlation-id");
    /// assert!(telemetry.flight_recorder().is_none());
    /// assert_eq!(telemetry.passing_level(Level::INFO).as_str(), "INFO");
    /// assert!(!telemetry.controls().list().is_empty());
    /// let _ = (telemetry.recorder(), telemetry.line_format());
    /// assert_ne!(telemetry.ids().span_id(), telemetry.ids().span_id());
    /// telemetry.record_self_metrics();
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.0.tracer
    }

    /// Reads and writes the headers that carry ids between services.
    #[must_use]
    pub fn propagators(&self) -> &Propagators {
        &self.0.propagators
    }

    /// Where metric values go.
    #[must_use]
    pub fn recorder(&self) -> &dyn Recorder {
        &*self.0.recorder
    }

    /// What operators can look at and act upon.
    #[must_use]
    pub fn controls(&self) -> &Registry {
        &self.0.controls
    }

    /// Whether lines of this level and target are written.
    #[inline]
    #[must_use]
    pub fn is_enabled(&self, level: Level, target: &str) -> bool {
        self.0.filter.enables(level, target)
    }

    /// The level that a line with metrics has to carry so that no filter downstream drops it:
    /// `level`, or the one that Lambda lets through.
    #[must_use]
    pub fn passing_level(&self, level: Level) -> LineLevel {
        self.0.filter.passing(level)
    }

    /// The limit on lines of one call site, if there is one.
    pub(crate) fn call_sites(&self) -> Option<&CallSites> {
        self.0.call_sites.as_ref()
    }

    /// A recorder for the verbose lines of one request, if the service keeps them.
    #[must_use]
    pub fn flight_recorder(&self) -> Option<FlightRecorder> {
        let (_, max_bytes) = self.0.flight_recorder?;
        Some(FlightRecorder::new(self.0.output.clone(), max_bytes))
    }

    /// Whether the flight recorder keeps lines of `level`.
    pub(crate) fn records(&self, level: Level) -> bool {
        self.0.flight_recorder.is_some_and(|(least, _)| level <= least)
    }

    /// Writes one line, whatever its level, at the present time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::log::Ids;
    /// use obs_core::output::Output;
    /// use obs_core::telemetry::Telemetry;
    /// use tracing::Level;
    ///
    /// let (output, lines) = Output::captured();
    /// let telemetry = Telemetry::builder("orders").output(output).build()?;
    /// if telemetry.is_enabled(Level::INFO, "orders") {
    ///     telemetry.line(Level::INFO, "orders", format_args!("started"), &Ids::default(), |line| {
    ///         line.u64("port", 8080);
    ///     });
    /// }
    /// telemetry.on_flush(|_limit| true);
    /// assert!(telemetry.flush(Duration::from_secs(1)));
    /// assert!(lines.text().contains(r#""port":8080"#));
    /// assert!(telemetry.report().lines.is_conserved());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn line(
        &self,
        level: Level,
        target: &str,
        message: fmt::Arguments<'_>,
        ids: &Ids<'_>,
        fields: impl FnOnce(&mut Line<'_>),
    ) {
        let now = self.0.clock.wall();
        with_buffer(|buffer| {
            let mut line = Line::begin(buffer, &self.0.format, now, level, message, target);
            line.ids(ids);
            fields(&mut line);
            self.0.output.write(class_of(level), line.finish());
        });
    }

    /// Has `hook` called by [`flush`](Self::flush) and [`shutdown`](Self::shutdown), before lines
    /// and spans are carried out: for what gathers metrics and must hand them over in time.
    ///
    /// The hook runs on a thread of its own, gets the time it may take, and answers whether it
    /// handed over everything. One that takes longer is left behind.
    pub fn on_flush(&self, hook: impl Fn(Duration) -> bool + Send + Sync + 'static) {
        let mut hooks = self.0.flush_hooks.lock().unwrap_or_else(PoisonError::into_inner);
        hooks.push(Arc::new(hook));
    }

    /// Carries out what waits now, within `limit`; `false` when time was up first.
    ///
    /// Blocks the calling thread. For a Lambda function that is about to be frozen.
    pub fn flush(&self, limit: Duration) -> bool {
        let end = self.0.end_of(limit);
        self.record_self_metrics();
        let hooks = self.0.run_flush_hooks(end);
        let spans = self.0.tracer.flush(self.0.until(end));
        let lines = self.0.output.flush(self.0.until(end));
        hooks && spans && lines
    }

    /// What became of every line and span so far.
    #[must_use]
    pub fn report(&self) -> SelfReport {
        SelfReport {
            lines: self.0.output.ledger(),
            line_destinations: self.0.output.ledgers(),
            last_line_error: self.0.output.last_error(),
            spans: self.0.tracer.ledger(),
        }
    }

    /// Writes one last line if anything was lost, once it is known what has arrived.
    fn tell_of_losses(&self, limit: Duration) {
        // Whatever still waits after that is counted in the report, which comes after the line.
        let _ = self.0.output.flush(limit);
        let SelfReport { lines, spans, .. } = self.report();
        if lines.dropped() + spans.dropped.total() > 0 {
            let message = format_args!("telemetry was lost");
            self.line(Level::WARN, "obs_core::telemetry", message, &Ids::default(), |line| {
                line.u64("lines_created", lines.created).u64("lines_written", lines.written);
                line.u64("lines_sampled_out", lines.sampled_out);
                line.u64("lines_dropped", lines.dropped());
                line.u64("spans_created", spans.created).u64("spans_exported", spans.exported);
                line.u64("spans_sampled_out", spans.sampled_out);
                line.u64("spans_dropped", spans.dropped.total());
            });
        }
    }

    /// Carries out what waits and stops, within `limit`.
    ///
    /// Blocks the calling thread, also on a current-thread runtime. First metrics are handed over,
    /// then spans are exported, then lines are written; a part that hangs takes no time from the
    /// lines' last share. What is not done when time is up is counted as lost. Lines may still be
    /// written afterwards. When anything was lost, the last line tells how much. A second call does
    /// nothing and returns the first one's report.
    pub fn shutdown(&self, limit: Duration) -> ShutdownReport {
        let mut first = self.0.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = &*first {
            return report.clone();
        }
        // Lines are local and fast; a collector is neither. A fifth is kept for the lines.
        let end = self.0.end_of(limit);
        let before_lines = end - limit / 5;
        self.record_self_metrics();
        let hooks = self.0.run_flush_hooks(before_lines);
        let spans = self.0.tracer.shutdown(self.0.until(before_lines));
        self.tell_of_losses(self.0.until(end) / 2);
        let lines = self.0.output.shutdown(self.0.until(end));
        let report = ShutdownReport { complete: hooks && spans && lines, report: self.report() };
        *first = Some(report.clone());
        report
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        live_filters::remove(&self.filter);
    }
}

impl Inner {
    fn end_of(&self, limit: Duration) -> crate::clock::Instant {
        Clock::system().now() + limit
    }

    fn until(&self, end: crate::clock::Instant) -> Duration {
        end - Clock::system().now()
    }

    fn run_flush_hooks(&self, end: crate::clock::Instant) -> bool {
        let hooks = self.flush_hooks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if hooks.is_empty() {
            return true;
        }
        // On a thread of their own, so that one which hangs does not hold up the caller.
        let (done, answer) = std::sync::mpsc::channel();
        let spawned = std::thread::Builder::new().name("obs-flush".to_owned()).spawn(move || {
            let mut all = true;
            for hook in hooks {
                all &= hook(end - Clock::system().now());
            }
            // The caller may have stopped waiting.
            let _ = done.send(all);
        });
        spawned.is_ok() && answer.recv_timeout(self.until(end)).unwrap_or(false)
    }
}

/// What a line of `level` is worth when the queue is full.
pub(crate) const fn class_of(level: Level) -> Class {
    match level {
        Level::ERROR => Class::Error,
        Level::WARN => Class::Warn,
        Level::INFO => Class::Info,
        Level::DEBUG | Level::TRACE => Class::Debug,
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("service_name", &self.0.service_name)
            .field("deployment_environment", &self.0.deployment_environment)
            .finish_non_exhaustive()
    }
}
