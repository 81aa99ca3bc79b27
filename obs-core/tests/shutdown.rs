//! A shutdown keeps its deadline whatever the parts behind it do.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use obs_core::environment::Environment;
use obs_core::output::{Capture, Output};
use obs_core::telemetry::{ShutdownReport, Telemetry};
use obs_core::trace::{ExportReport, SpanExporter, SpanKind, SpanRecord};

/// Never answers, until the other end of its channel goes.
#[derive(Debug)]
struct Hanging(Receiver<()>);

impl SpanExporter for Hanging {
    fn export(&mut self, batch: &[SpanRecord], _: Duration) -> ExportReport {
        let _ = self.0.recv();
        ExportReport::new().exported(batch.len())
    }
}

fn telemetry() -> (Telemetry, Capture, Sender<()>) {
    let (release, hang) = channel();
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .span_exporter(Hanging(hang))
        .build()
        .expect("nothing is configured");
    (telemetry, captured, release)
}

fn shut_down(telemetry: &Telemetry) -> ShutdownReport {
    let tracer = telemetry.tracer();
    for _ in 0..3 {
        let (trace, span) = (tracer.new_trace_id(), tracer.new_span_id());
        tracer.export(SpanRecord::new("GET /orders", SpanKind::Server, trace, span));
    }
    telemetry.shutdown(Duration::from_millis(100))
}

fn check(report: &ShutdownReport, captured: &Capture) {
    assert!(!report.complete);
    let spans = &report.report.spans;
    assert!(spans.is_balanced(), "{spans:?}");
    assert_eq!((spans.created, spans.exported, spans.pending), (3, 0, 0));
    assert!(report.report.lines.is_conserved());
    // The lines had their share of the time: one tells what was lost.
    let line = captured.text();
    assert!(line.contains("telemetry was lost") && line.contains(r#""spans_dropped":3"#), "{line}");
}

#[test]
fn a_hanging_collector_does_not_hold_up_a_shutdown_without_a_runtime() {
    let (telemetry, captured, _release) = telemetry();
    check(&shut_down(&telemetry), &captured);
}

#[tokio::test(flavor = "current_thread")]
async fn a_hanging_collector_does_not_hold_up_a_shutdown_on_a_current_thread_runtime() {
    let (telemetry, captured, _release) = telemetry();
    check(&shut_down(&telemetry), &captured);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_collector_does_not_hold_up_a_shutdown_on_a_multi_thread_runtime() {
    let (telemetry, captured, _release) = telemetry();
    check(&shut_down(&telemetry), &captured);
}

#[test]
fn a_second_shutdown_gives_the_first_ones_report_at_once() {
    let (telemetry, _, _release) = telemetry();
    let first = shut_down(&telemetry);
    let second = telemetry.shutdown(Duration::from_secs(3_600));
    assert_eq!(second.complete, first.complete);
    assert_eq!(second.report.spans, first.report.spans);
    assert_eq!(second.report.lines, first.report.lines);
}

#[test]
fn a_hanging_hook_does_not_hold_up_a_shutdown() {
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output.clone())
        .build()
        .expect("nothing is configured");
    let (_release, hang) = channel::<()>();
    let hang = std::sync::Mutex::new(hang);
    telemetry.on_flush(move |_| hang.lock().is_ok_and(|hang| hang.recv().is_ok()));
    output.write(obs_core::output::Class::Info, b"written all the same\n");
    assert!(!telemetry.shutdown(Duration::from_millis(100)).complete);
    assert_eq!(captured.text(), "written all the same\n");
}
