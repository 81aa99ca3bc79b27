//! What the tests of the observing layers share: a telemetry that keeps everything, and bodies
//! that end in every way.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use obs_core::clock::ManualClock;
use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use obs_core::metric::{
    Counter, CounterCell, Descriptor, Gauge, GaugeCell, Histogram, HistogramCell, Label, Recorder,
};
use obs_core::output::{Capture, Output};
use obs_core::telemetry::{Telemetry, TelemetryBuilder};
use obs_core::trace::{MemoryExporter, SpanRecord};
use serde_json::Value;

/// A telemetry whose lines, spans and time the test holds in its hands.
pub(crate) struct Bench {
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: ManualClock,
    lines: Capture,
    spans: MemoryExporter,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(change: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> Self {
        Self::build("orders", change)
    }

    pub(crate) fn named(service: &str) -> Self {
        Self::build(service, |builder| builder)
    }

    fn build(service: &str, change: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> Self {
        let (output, lines) = Output::captured();
        let (clock, spans) = (ManualClock::default(), MemoryExporter::default());
        let builder = Telemetry::builder(service)
            .environment(Environment::empty())
            .clock(clock.clock())
            .ids(IdGenerator::seeded(7))
            .output(output)
            .span_exporter(spans.clone());
        let telemetry = change(builder).build().unwrap();
        Self { telemetry, clock, lines, spans }
    }

    pub(crate) fn flush(&self) {
        assert!(self.telemetry.flush(Duration::from_secs(10)));
    }

    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.flush();
        self.lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What has been written so far, without flushing.
    pub(crate) fn written(&self) -> String {
        self.lines.text()
    }

    /// The lines of requests so far.
    pub(crate) fn request_lines(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["message"] == "request completed").collect()
    }

    /// The one request line.
    pub(crate) fn request_line(&self) -> Value {
        let mut lines = self.request_lines();
        assert_eq!(lines.len(), 1, "exactly one line: {lines:#?}");
        lines.remove(0)
    }

    /// Every span so far.
    pub(crate) fn spans(&self) -> Vec<SpanRecord> {
        self.flush();
        self.spans.spans()
    }

    /// The one span.
    pub(crate) fn span(&self) -> SpanRecord {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1, "exactly one span: {spans:#?}");
        spans.remove(0)
    }
}

/// What a [`Script`] does when it is polled.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(&'static [u8]),
    Trailers(HeaderMap),
    Fail,
    Panic,
    /// Pending, and nothing wakes the task.
    Stall,
}

/// The error of a scripted body or service.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

/// A body that does what it is told, and does not know its end before it is there.
#[derive(Debug, Default)]
pub(crate) struct Script(VecDeque<Step>);

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Poll::Ready(match self.0.pop_front() {
            None => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(Bytes::from_static(data)))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Fail) => Some(Err(Broken)),
            Some(Step::Panic) => panic!("the body panics"),
            Some(Step::Stall) => {
                self.0.push_front(Step::Stall);
                return Poll::Pending;
            }
        })
    }
}

/// A recorder that keeps every value by metric and labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<Values>>);

/// By metric and labels.
type Values = BTreeMap<(String, String), Vec<f64>>;

impl Tally {
    /// The values of a metric with these labels, written `Name=value` with commas between.
    pub(crate) fn of(&self, metric: &str, labels: &str) -> Vec<f64> {
        let values = self.0.lock().unwrap();
        values.get(&(metric.to_owned(), labels.to_owned())).cloned().unwrap_or_default()
    }

    fn series(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Series {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Series { tally: self.clone(), key: (metric.name.to_owned(), labels.join(",")) }
    }
}

#[derive(Debug)]
struct Series {
    tally: Tally,
    key: (String, String),
}

impl Series {
    fn push(&self, value: f64) {
        self.tally.0.lock().unwrap().entry(self.key.clone()).or_default().push(value);
    }
}

impl CounterCell for Series {
    fn add(&self, value: u64) {
        self.push(value as f64);
    }
}

impl GaugeCell for Series {
    fn set(&self, value: f64) {
        self.push(value);
    }

    fn add(&self, delta: f64) {
        self.push(delta);
    }
}

impl HistogramCell for Series {
    fn record(&self, value: f64) {
        self.push(value);
    }
}

impl Recorder for Tally {
    fn counter(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Counter {
        Counter::new(Arc::new(self.series(metric, labels)))
    }

    fn gauge(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Gauge {
        Gauge::new(Arc::new(self.series(metric, labels)))
    }

    fn histogram(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Histogram {
        Histogram::new(Arc::new(self.series(metric, labels)))
    }
}
