//! The telemetry that jobs run with: lines are formatted, queued and written, spans are batched and
//! exported, and both end in a sink.

use std::time::Duration;

use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use obs_core::trace::{ExportReport, Sampler, SpanExporter, SpanRecord};

use crate::sink::Counted;

/// Telemetry that samples this share of traces.
pub fn telemetry(ratio: f64) -> Telemetry {
    telemetry_to(Output::writer(Counted), ratio)
}

/// The same with lines that go to `output`.
pub fn telemetry_to(output: Output, ratio: f64) -> Telemetry {
    Telemetry::builder("bench")
        .output(output)
        .sampler(Sampler::ratio(ratio).expect("the ratio is between 0 and 1"))
        .span_exporter(Discard)
        .build()
        .expect("the configuration is valid")
}

/// Takes every span and keeps none.
#[derive(Debug)]
struct Discard;

impl SpanExporter for Discard {
    fn export(&mut self, batch: &[SpanRecord], _: Duration) -> ExportReport {
        ExportReport::new().exported(batch.len())
    }
}
