use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::config::ConfigError;
use crate::control::Kind;
use crate::environment::Environment;
use crate::log::{LineHead, LineLevel, Redactor};
use crate::output::Capture;
use crate::trace::{MemoryExporter, SpanKind, SpanRecord};

const LONG: Duration = Duration::from_secs(30);

fn build(variables: &[(&str, &str)]) -> Result<(Telemetry, Capture), ConfigError> {
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(variables.iter().copied().collect::<Environment>())
        .clock(ManualClock::default().clock())
        .output(output)
        .build()?;
    Ok((telemetry, captured))
}

fn request(telemetry: &Telemetry, level: Level, has_metrics: bool) {
    const HEAD: LineHead = LineHead::new("request completed", "obs_tower::observe");
    let head = RequestLine {
        timestamp: telemetry.clock().wall(),
        level,
        head: &HEAD,
        ids: Ids::default(),
        has_metrics,
    };
    telemetry.request_line(
        &head,
        |line| {
            line.u64("status", 200);
        },
        |tail| {
            if has_metrics {
                tail.extend_from_slice(br#","_aws":{},"Latency":1"#);
            }
        },
    );
}

#[test]
fn the_environment_names_the_service_and_where_it_runs() {
    let (telemetry, _) = build(&[
        ("OTEL_SERVICE_NAME", "orders-blue"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod"),
    ])
    .unwrap();
    assert_eq!(telemetry.service_name(), "orders-blue");
    assert_eq!(telemetry.deployment_environment(), "prod");
}

#[test]
fn a_bad_variable_is_refused_by_name() {
    for (name, value) in [
        ("RUST_LOG", "info,hyper=loud"),
        ("OTEL_RESOURCE_ATTRIBUTES", "x"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
    ] {
        let error = build(&[(name, value)]).unwrap_err();
        assert_eq!((error.field(), error.value()), (name, value));
    }
}

#[test]
fn a_line_filtered_by_level_still_carries_its_metrics() {
    let (telemetry, captured) = build(&[("RUST_LOG", "error")]).unwrap();
    request(&telemetry, Level::INFO, true);
    request(&telemetry, Level::INFO, false);
    assert!(telemetry.flush(LONG));
    assert_eq!(
        captured.lines(),
        [concat!(
            r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"INFO","message":"request completed","#,
            r#""target":"obs_tower::observe","service":"orders","_aws":{},"Latency":1}"#
        )]
    );
}

#[test]
fn lambdas_level_filters_lines_and_metrics_pass_it() {
    for (level, enabled, of_metrics) in [
        ("TRACE", 5, "INFO"),
        ("debug", 4, "INFO"),
        ("INFO", 3, "INFO"),
        ("WARN", 2, "WARN"),
        ("ERROR", 1, "ERROR"),
        ("FATAL", 0, "FATAL"),
    ] {
        let (telemetry, captured) =
            build(&[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", level)]).unwrap();
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        let is_enabled = levels.map(|level| telemetry.is_enabled(level, "shop"));
        assert_eq!(is_enabled.iter().filter(|is| **is).count(), enabled, "{level}");
        request(&telemetry, Level::INFO, true);
        assert!(telemetry.flush(LONG));
        let expected = format!(r#""level":"{of_metrics}""#);
        assert!(captured.text().contains(&expected), "{level}: {}", captured.text());
    }
}

#[test]
fn lambdas_level_counts_in_its_json_format_only_and_below_rust_log() {
    let level = ("AWS_LAMBDA_LOG_LEVEL", "ERROR");
    let (text, _) = build(&[("AWS_LAMBDA_LOG_FORMAT", "Text"), level]).unwrap();
    assert!(text.is_enabled(Level::INFO, "shop"));
    let (json, _) =
        build(&[("AWS_LAMBDA_LOG_FORMAT", "JSON"), level, ("RUST_LOG", "debug")]).unwrap();
    assert!(json.is_enabled(Level::DEBUG, "shop"));
    assert_eq!(json.passing_level(Level::INFO), LineLevel::Error);
    let error = build(&[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "LOUD")]);
    assert_eq!(error.unwrap_err().field(), "AWS_LAMBDA_LOG_LEVEL");
}

#[test]
fn a_second_shutdown_does_nothing_and_lines_still_work_afterwards() {
    let (telemetry, captured) = build(&[]).unwrap();
    request(&telemetry, Level::INFO, false);
    let first = telemetry.shutdown(LONG);
    assert!(first.complete);
    request(&telemetry, Level::INFO, false);
    assert_eq!(telemetry.shutdown(LONG).report.lines, first.report.lines);
    assert_eq!(captured.lines().len(), 2);
    assert!(telemetry.report().lines.is_conserved());
}

#[test]
fn lines_are_json_unless_people_are_to_read_them_and_coloured_at_a_terminal_only() {
    use super::looks::{Looks, looks};

    let pretty = ("OBS_LOG_FORMAT", "pretty");
    for (variables, is_terminal, expected) in [
        (&[][..], true, Looks::Json),
        (&[("OBS_LOG_FORMAT", "json")], true, Looks::Json),
        (&[pretty], true, Looks::Pretty { colours: true }),
        (&[pretty], false, Looks::Pretty { colours: false }),
        (&[pretty, ("NO_COLOR", "1")], true, Looks::Pretty { colours: false }),
    ] {
        let environment = variables.iter().copied().collect();
        assert_eq!(looks(&environment, is_terminal), Ok(expected), "{variables:?}");
    }
    let error = looks(&Environment::from([("OBS_LOG_FORMAT", "xml")]), true).unwrap_err();
    assert_eq!((error.field(), error.value()), ("OBS_LOG_FORMAT", "xml"));
}

#[test]
fn one_redactor_hides_a_key_in_lines_and_in_spans() {
    let memory = MemoryExporter::default();
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .redactor(Redactor::none().key("iban"))
        .span_exporter(memory.clone())
        .build()
        .unwrap();
    telemetry.line(Level::INFO, "app", format_args!("paid"), &Ids::default(), |line| {
        line.str("iban", "DE1");
    });
    let tracer = telemetry.tracer();
    let (trace_id, span_id) = (tracer.new_trace_id(), tracer.new_span_id());
    let mut span = SpanRecord::new("pay", SpanKind::Internal, trace_id, span_id);
    span.annotate("iban", "DE1");
    tracer.export(span);
    assert!(telemetry.flush(LONG));
    assert!(captured.text().contains(r#""iban":"[redacted]""#), "{}", captured.text());
    assert_eq!(memory.span("pay").annotations.get("iban"), Some(&"[redacted]".into()));
}

#[test]
fn the_telemetry_is_registered_as_a_control() {
    let (telemetry, _) = build(&[]).unwrap();
    let control = telemetry.controls().get(Kind::Telemetry, "orders").unwrap();
    assert_eq!(control.state(), "complete");
    request(&telemetry, Level::INFO, false);
    assert!(telemetry.flush(LONG));
    assert_eq!(control.snapshot()["lines"][0]["written"], 1);
}

#[test]
fn each_flush_hands_over_the_self_report_as_metrics_that_grow_by_what_is_new() {
    use std::collections::BTreeMap;

    use crate::metric::{
        Counter, CounterCell, Descriptor, Gauge, GaugeCell, Histogram, Label, Recorder,
    };

    type Totals = Arc<Mutex<BTreeMap<String, f64>>>;

    #[derive(Clone, Debug, Default)]
    struct Sums(Totals);

    #[derive(Debug)]
    struct Cell(Totals, String);

    impl CounterCell for Cell {
        fn add(&self, value: u64) {
            *self.0.lock().unwrap().entry(self.1.clone()).or_default() += value as f64;
        }
    }

    impl GaugeCell for Cell {
        fn set(&self, value: f64) {
            self.0.lock().unwrap().insert(self.1.clone(), value);
        }
        fn add(&self, delta: f64) {
            *self.0.lock().unwrap().entry(self.1.clone()).or_default() += delta;
        }
    }

    impl Sums {
        fn cell(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Arc<Cell> {
            let labels: Vec<_> = labels.iter().map(|(_, value)| *value).collect();
            Arc::new(Cell(Arc::clone(&self.0), format!("{}{labels:?}", metric.name)))
        }
    }

    impl Recorder for Sums {
        fn counter(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Counter {
            Counter::new(self.cell(metric, labels))
        }
        fn gauge(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Gauge {
            Gauge::new(self.cell(metric, labels))
        }
        fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram {
            Histogram::disabled()
        }
    }

    let sums = Sums::default();
    let (output, _captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .metrics(Arc::new(sums.clone()))
        .build()
        .unwrap();
    for _ in 0..2 {
        request(&telemetry, Level::INFO, false);
        telemetry.output().dropped(Class::Info, crate::output::DropReason::RateLimited, 2);
        assert!(telemetry.flush(LONG));
    }
    // A flush tells what was true when it began.
    assert_eq!(sums.0.lock().unwrap()["LinesDropped[\"rate_limited\"]"], 4.0);
    telemetry.shutdown(LONG);
    let sums = sums.0.lock().unwrap();
    assert_eq!(sums["LinesWritten[]"], 2.0);
    assert_eq!(sums[r#"LinesDropped["rate_limited"]"#], 4.0);
    assert_eq!(sums["LineQueueBytes[]"], 0.0);
}
