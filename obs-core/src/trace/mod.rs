//! Spans: the verdict on a trace, the record of a span, and the road to where spans are kept.
//!
//! A span is plain data, a [`SpanRecord`], filled while the work goes on and handed to a [`Tracer`]
//! when it ends. The tracer never blocks: it holds a bounded number of spans for its one thread,
//! which gives them in batches to a [`SpanExporter`]. Whatever is lost on the way is counted by
//! reason in the [`SpanLedger`]. What the [`Redactor`](crate::log::Redactor) hides in lines is hidden
//! in spans too, before any exporter sees them.
//!
//! The verdict comes first: [`Tracer::decide`] is asked when the headers have arrived, and a request
//! that is not sampled builds no span at all, here or in its children.
//!
//! ```
//! use std::time::Duration;
//!
//! use obs_core::trace::{MemoryExporter, SpanKind, SpanRecord, Tracer};
//!
//! let spans = MemoryExporter::default();
//! let tracer = Tracer::builder().exporter(spans.clone()).build()?;
//! let (trace, span) = (tracer.new_trace_id(), tracer.new_span_id());
//! tracer.export(SpanRecord::new("GET /orders", SpanKind::Server, trace, span));
//! tracer.shutdown(Duration::from_secs(5));
//! assert_eq!(spans.spans().len(), 1);
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod attribute;
mod exporter;
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http", feature = "xray-daemon"))]
mod json;
mod ledger;
#[cfg(any(test, feature = "test-util"))]
mod memory;
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
mod otlp;
mod queue;
mod record;
mod redact;
mod sampler;
mod selection;
mod settings;
mod tracer;
#[cfg(feature = "xray-daemon")]
mod xray;

pub use attribute::{AttributeValue, Attributes, Text};
pub use exporter::{ExportReport, SpanExporter};
pub use ledger::{DropCounts, DropReason, SpanLedger};
#[cfg(any(test, feature = "test-util"))]
pub use memory::MemoryExporter;
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
pub use otlp::{OtlpExporter, OtlpExporterBuilder, OtlpProtocol};
pub use record::{Metadata, SpanEvent, SpanKind, SpanLink, SpanRecord, Status};
pub use sampler::{Decision, Sample, Sampler, SamplingInput};
#[cfg(feature = "xray-daemon")]
pub use sampler::{XraySampler, XraySamplerBuilder};
pub use selection::exporter_from_environment;
pub use settings::BatchSettings;
pub use tracer::{Tracer, TracerBuilder};
#[cfg(all(feature = "xray-daemon", any(test, feature = "test-util")))]
#[doc(hidden)]
pub use xray::invariants as xray_invariants;
#[cfg(feature = "xray-daemon")]
pub use xray::{DaemonAddress, MAX_DOCUMENT_BYTES, SegmentEncoder, XrayExporter};
