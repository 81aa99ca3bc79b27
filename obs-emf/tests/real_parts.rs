//! Against running parts: MiniStack for `PutMetricData` and alarms, cfn-lint for templates.
//!
//! `cargo xtask test` starts them and says where they are; without that the tests fail.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, Statistic};
use obs_core::clock::{Clock, Timestamp};
use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use obs_core::metric::Unit;
use obs_emf::cloudwatch::CloudWatchSink;
use obs_emf::dashboard::Watch;
use obs_emf::request::RequestMetrics;
use obs_emf::sink::Sink;
use obs_emf::{Record, Series, Shape};

#[allow(dead_code, reason = "only a part of it applies to a part that is shared")]
mod contract;

fn part(variable: &str) -> String {
    let environment = Environment::process();
    let part = environment.get(variable).map(str::to_owned);
    part.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`"))
}

fn client() -> Client {
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(part("OBS_TEST_MINISTACK"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// Sum and number of the values that the service stored for a series in these hours.
fn statistics(
    (client, runtime): (&Client, &tokio::runtime::Runtime),
    (namespace, metric): (&str, &str),
    (dimension, value): (&str, &str),
    now: Timestamp,
) -> (f64, f64) {
    let seconds = i64::try_from(now.unix_seconds()).unwrap();
    let call = client
        .get_metric_statistics()
        .namespace(namespace)
        .metric_name(metric)
        .dimensions(Dimension::builder().name(dimension).value(value).build())
        .start_time(DateTime::from_secs(seconds - 3_600))
        .end_time(DateTime::from_secs(seconds + 3_600))
        .period(60)
        .statistics(Statistic::Sum)
        .statistics(Statistic::SampleCount);
    let answer = runtime.block_on(call.send()).unwrap();
    answer.datapoints().iter().fold((0.0, 0.0), |(sum, count), point| {
        (sum + point.sum().unwrap_or(0.0), count + point.sample_count().unwrap_or(0.0))
    })
}

#[test]
fn what_is_sent_can_be_read_back() {
    let client = client();
    // Its own namespace, since the part is shared.
    let namespace = format!("ObsEmfTest{}", IdGenerator::system().span_id().to_hex().as_str());
    let shape = Shape::builder(&namespace)
        .dimension_set(["Service"])
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap();
    let sink = CloudWatchSink::new(client.clone(), Clock::system(), IdGenerator::system()).unwrap();
    let now = Clock::system().wall();
    let points = [(10.0, 3), (20.0, 1)];
    let series = [Series::new("Wait", Unit::Milliseconds, &points)];
    let record = Record::new(&shape, now).dimensions(&["orders"]);
    sink.emit(&record.values(&[12.5]).series(&series));
    assert!(sink.shutdown(Duration::from_secs(30)));
    let ledger = sink.ledger();
    assert_eq!((ledger.appended, ledger.emitted, ledger.dropped()), (5, 5, 0));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sum = |metric: &str| {
        statistics((&client, &runtime), (&namespace, metric), ("Service", "orders"), now)
    };
    assert_eq!(sum("Latency"), (12.5, 1.0));
    assert_eq!(sum("Wait"), (50.0, 4.0));
}

#[test]
fn the_service_keeps_the_contract_with_64_threads() {
    let client = client();
    let namespace = format!("ObsEmfTest{}", IdGenerator::system().span_id().to_hex().as_str());
    let sink = CloudWatchSink::new(client.clone(), Clock::system(), IdGenerator::system()).unwrap();
    let now = Clock::system().wall();
    contract::in_namespace(&sink, &namespace, now);
    contract::settles(&sink);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stored: f64 = (0..64)
        .map(|worker: u32| {
            let (sum, count) = statistics(
                (&client, &runtime),
                (&namespace, "Latency"),
                ("Worker", &worker.to_string()),
                now,
            );
            assert_eq!(sum, f64::from((0..50).sum::<u32>()), "{worker}");
            count
        })
        .sum();
    assert_eq!(stored, contract::POINTS as f64);
}

fn template(service: &str) -> serde_json::Value {
    let metrics = RequestMetrics::builder(service, "prod").build().unwrap();
    Watch::new(&metrics, service, "prod")
        .log_group("/shop/orders")
        .resource("AWS/ECS", "CPUUtilization", [("ServiceName", "orders")])
        .template()
}

#[test]
fn the_template_passes_cfn_lint() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join("watch.template.json");
    std::fs::write(&file, template("orders").to_string()).unwrap();
    let lint = std::process::Command::new(part("OBS_TEST_CFN_LINT"));
    let output = { lint }.arg("--regions").arg("us-east-1").arg("--").arg(&file).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}

#[test]
fn composite_rules_are_good_grammar() {
    let client = client();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let put = |name: &str, rule: &str| {
        let call = client.put_composite_alarm().alarm_name(name).alarm_rule(rule);
        runtime.block_on(call.send()).map_err(Box::new)
    };
    // Its own names, since the part is shared.
    let service = IdGenerator::system().span_id().to_hex().as_str().to_owned();
    assert!(put(&format!("{service}-bad"), "ALARM(((x").is_err(), "the part checks rules");
    let template = template(&service);
    let resources = template["Resources"].as_object().unwrap();
    let named = |kind: &str| {
        let of_kind = resources.values().filter(move |resource| resource["Type"] == kind);
        of_kind.map(|resource| &resource["Properties"]).collect::<Vec<_>>()
    };
    for alarm in named("AWS::CloudWatch::Alarm") {
        // Rules name alarms that there are; what these watch does not matter here.
        let call = client
            .put_metric_alarm()
            .alarm_name(alarm["AlarmName"].as_str().unwrap())
            .namespace("ObsEmfTest")
            .metric_name("Latency")
            .statistic(Statistic::Sum)
            .period(60)
            .evaluation_periods(1)
            .threshold(1.0)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold);
        runtime.block_on(call.send()).unwrap();
    }
    let composites = named("AWS::CloudWatch::CompositeAlarm");
    assert_eq!(composites.len(), 3);
    for alarm in composites {
        let rule = alarm["AlarmRule"].as_str().unwrap();
        let answer = put(alarm["AlarmName"].as_str().unwrap(), rule);
        assert!(answer.is_ok(), "{rule}: {answer:?}");
    }
}
