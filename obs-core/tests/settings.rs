//! One test for each setting of a telemetry, which fails if the setting is ignored.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::path::PathBuf;
use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::environment::Environment;
use obs_core::log::Ids;
use obs_core::output::{Capture, Class, Output, RotatingFile};
use obs_core::propagate::{Propagators, TrustPolicy};
use obs_core::resource::Resource;
use obs_core::telemetry::{Telemetry, TelemetryBuilder};
use obs_core::trace::{Sampler, SamplingInput};
use tracing::Level;

const LONG: Duration = Duration::from_secs(30);

fn builder(variables: &[(&str, &str)]) -> (TelemetryBuilder, Capture) {
    let (output, captured) = Output::captured();
    let environment: Environment = variables.iter().copied().collect();
    (Telemetry::builder("orders").environment(environment).output(output), captured)
}

fn build(
    variables: &[(&str, &str)],
    change: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder,
) -> Telemetry {
    change(builder(variables).0).build().unwrap()
}

#[test]
fn the_deployment_environment_is_that_of_the_variables_then_of_the_code() {
    let named = |variables| {
        let telemetry = build(variables, |builder| builder.deployment_environment("staging"));
        telemetry.deployment_environment().to_owned()
    };
    assert_eq!(named(&[]), "staging");
    let prod = ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod");
    assert_eq!(named(&[prod]), "prod");
    assert_eq!(build(&[], |builder| builder).deployment_environment(), "local");
}

#[test]
fn what_was_detected_gives_way_to_what_the_variables_say() {
    let detected = Resource::empty().with("host.id", "i-1").with("service.version", "1");
    let telemetry =
        build(&[("OTEL_RESOURCE_ATTRIBUTES", "service.version=2")], |b| b.resource(detected));
    assert_eq!(telemetry.resource().get("host.id"), Some("i-1"));
    assert_eq!(telemetry.resource().get("service.version"), Some("2"));
}

#[test]
fn a_line_beyond_the_limit_goes_on_in_a_second_part() {
    for (limit, parts) in [(4_096, 2), (16_384, 1)] {
        let (builder, captured) = builder(&[]);
        let telemetry = builder.max_line_bytes(limit).build().unwrap();
        telemetry.line(Level::INFO, "app", format_args!("long"), &Ids::default(), |line| {
            line.str("one", &"x".repeat(3_000)).str("two", &"y".repeat(3_000));
        });
        assert!(telemetry.flush(LONG));
        assert_eq!(captured.lines().len(), parts, "{limit}");
    }
    assert_eq!(builder(&[]).0.max_line_bytes(4_095).build().unwrap_err().field(), "max_line_bytes");
}

#[test]
fn the_propagators_of_the_code_are_used_else_those_of_the_variable() {
    let sends = |telemetry: &Telemetry| {
        let mut headers = http::HeaderMap::new();
        let request = RequestContext::builder(telemetry).build();
        request.inject(&mut headers, &TrustPolicy::internal());
        (headers.contains_key("traceparent"), headers.contains_key("x-amzn-trace-id"))
    };
    let xray = ("OTEL_PROPAGATORS", "xray");
    assert_eq!(sends(&build(&[], |builder| builder)), (true, true));
    assert_eq!(sends(&build(&[xray], |builder| builder)), (false, true));
    let w3c = Propagators::from_names("tracecontext").unwrap();
    assert_eq!(sends(&build(&[xray], |builder| builder.propagators(w3c))), (true, false));
}

#[test]
fn the_sampler_is_that_of_the_variable_then_of_the_code() {
    let samples = |variables: &[(&str, &str)]| {
        let telemetry = build(variables, |builder| builder.sampler(Sampler::always_off()));
        let input = SamplingInput::new(telemetry.tracer().new_trace_id(), "orders");
        telemetry.tracer().decide(&input).sampled
    };
    assert!(!samples(&[]));
    assert!(samples(&[("OTEL_TRACES_SAMPLER", "always_on")]));
}

#[cfg(feature = "debug-on-demand")]
#[test]
fn the_debug_key_is_that_of_the_code_else_the_secret_of_the_variable() {
    use obs_core::propagate::field;
    use obs_core::telemetry::DebugKey;
    use tracing::level_filters::LevelFilter;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let raised = |telemetry: &Telemetry| {
        let now = telemetry.clock().wall().saturating_add(Duration::from_secs(60));
        let token = DebugKey::new(SECRET).unwrap().sign(LevelFilter::TRACE, now, "orders");
        let mut headers = http::HeaderMap::new();
        headers.insert(&field::X_OBS_DEBUG, token.parse().unwrap());
        let extracted = telemetry.propagators().extract(&headers, &TrustPolicy::internal());
        let arrived = telemetry.clock().now();
        RequestContext::builder(telemetry).extracted(extracted, arrived).build().debug_level()
    };
    assert_eq!(raised(&build(&[], |builder| builder)), None);
    let variable = ("OBS_DEBUG_KEY", SECRET);
    assert_eq!(raised(&build(&[variable], |b| b)), Some(LevelFilter::TRACE));
    let other = DebugKey::new([7; 32]).unwrap();
    assert_eq!(raised(&build(&[variable], |builder| builder.debug_key(other))), None);
    let short = builder(&[("OBS_DEBUG_KEY", "short")]).0.build();
    assert!(!short.unwrap_err().to_string().contains("short\""));
}

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn standard_output_and_a_rotated_file_get_the_same_lines() {
    let name = format!("obs-settings-{}", std::process::id());
    let directory = Directory(std::env::temp_dir().join(name));
    std::fs::create_dir_all(&directory.0).unwrap();
    let path = directory.0.join("orders.log");
    // In place of the standard output, which belongs to the test runner.
    let stdout = Capture::default();
    let output = Output::builder()
        .destination(stdout.clone())
        .destination(RotatingFile::open(&path, 64, 9).unwrap())
        .build()
        .unwrap();
    for number in 0..20 {
        output.write(Class::Info, format!("{{\"number\":{number}}}\n").as_bytes());
    }
    assert!(output.shutdown(LONG));
    let read = |number: usize| {
        let name =
            if number == 0 { path.clone() } else { path.with_extension(format!("log.{number}")) };
        std::fs::read_to_string(name).unwrap_or_default()
    };
    let files: Vec<String> = (0..10).rev().map(read).collect();
    assert_eq!(files.concat(), stdout.text());
    assert!(files.iter().all(|file| file.len() <= 64));
    assert!(files.iter().filter(|file| !file.is_empty()).count() > 3);
}
