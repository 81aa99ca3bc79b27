//! Spans to an OTLP receiver: a collector, an agent, or any back end that speaks it.

mod builder;
mod convert;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod headers;
#[cfg(feature = "otlp-http")]
mod http_protobuf;
mod settings;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use crate::clock::Clock;
use crate::config::ConfigError;

use super::exporter::{ExportReport, SpanExporter};
use super::ledger::DropReason;
use super::record::SpanRecord;

pub use builder::OtlpExporterBuilder;
pub use settings::OtlpProtocol;

/// Sends spans to an OTLP receiver over gRPC or HTTP, through OpenTelemetry's own exporter.
///
/// It works on the tracer's thread and needs no runtime of the service: for gRPC it brings its own.
/// A batch that fails is tried again up to three times within its time-out, and then dropped and
/// counted. Spans that a receiver rejects out of a batch it takes are counted as refused over HTTP;
/// over gRPC OpenTelemetry's exporter keeps that to itself. Addresses with `https` need the feature
/// `otlp-tls`; whom they may belong to is what the system trusts (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` change that).
///
/// ```no_run
/// use obs_core::environment::Environment;
/// use obs_core::resource::Resource;
/// use obs_core::trace::{OtlpExporter, Tracer};
///
/// let resource = Resource::empty().with("service.name", "orders");
/// let exporter = OtlpExporter::from_environment(&Environment::process(), &resource)?;
/// let tracer = Tracer::builder().exporter(exporter).build()?;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub struct OtlpExporter {
    exporter: opentelemetry_otlp::SpanExporter,
    driver: Box<dyn Drive>,
    scope: InstrumentationScope,
    endpoint: String,
    timeout: Duration,
    clock: Clock,
}

/// What makes the exporter's future advance.
trait Drive: Send {
    fn run(&self, limit: Duration, export: Export<'_>) -> OTelSdkResult;

    /// What the receiver said of spans it did not take, after a run without error.
    fn take_partial_success(&self) -> Option<PartialSuccess> {
        None
    }
}

/// Spans that a receiver did not take although it took their batch.
#[derive(Debug)]
struct PartialSuccess {
    rejected: usize,
    message: String,
}

/// An exporter of OpenTelemetry and what drives it.
type Built = (opentelemetry_otlp::SpanExporter, Box<dyn Drive>);

/// What OpenTelemetry's builder would not take.
fn refused(error: &ExporterBuildError) -> ConfigError {
    ConfigError::new("otlp", error, "must be a configuration that the OTLP exporter accepts")
}

type Export<'a> = Pin<Box<dyn Future<Output = OTelSdkResult> + Send + 'a>>;

impl SpanExporter for OtlpExporter {
    fn export(&mut self, batch: &[SpanRecord], limit: Duration) -> ExportReport {
        let spans: Vec<SpanData> =
            batch.iter().map(|span| convert::span_data(span, &self.scope)).collect();
        let begun = self.clock.now();
        match self.driver.run(limit, Box::pin(self.exporter.export(spans))) {
            Ok(()) => match self.driver.take_partial_success() {
                None => ExportReport::new().exported(batch.len()),
                Some(PartialSuccess { rejected, message }) => {
                    let rejected = rejected.min(batch.len());
                    let report = ExportReport::new().exported(batch.len() - rejected);
                    report.dropped(DropReason::Refused, rejected, message)
                }
            },
            Err(error) => {
                let error = error.to_string();
                // The HTTP client says of a time-out only that the network failed.
                let took_all = self.clock.now() - begun >= self.timeout.min(limit);
                let reason = if took_all { DropReason::TimedOut } else { reason(&error) };
                ExportReport::new().dropped(reason, batch.len(), error)
            }
        }
    }

    fn shutdown(&mut self, limit: Duration) {
        // Its only failure is to have been shut down before.
        let _ = self.exporter.shutdown_with_timeout(limit);
    }
}

/// OpenTelemetry's exporters tell what happened in words only.
fn reason(error: &str) -> DropReason {
    const TIMED_OUT: [&str; 4] = ["timed out", "Timeout", "DeadlineExceeded", "Cancelled"];
    const UNREACHABLE: [&str; 4] = ["Unavailable", "onnect", "error sending request", "network"];
    if TIMED_OUT.iter().any(|words| error.contains(words)) {
        DropReason::TimedOut
    } else if UNREACHABLE.iter().any(|words| error.contains(words)) {
        DropReason::Unreachable
    } else {
        DropReason::Refused
    }
}

impl fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpExporter").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
