use obs_core::clock::{Clock, ManualClock, Timestamp};
use obs_core::log::{FieldKey, ValueRef};
use obs_core::metric::{Descriptor, Unit};
use obs_core::output::Output;
use proptest::prelude::*;

use super::*;
use crate::declare::Shape;
use crate::ledger::{DropReason, Ledger, Repair};
use crate::limits::Transport;
use crate::lint::{Linter, Metrics, assert_metric};
use crate::sink::{LineSink, Sink};

fn clock() -> Clock {
    ManualClock::default().clock()
}

/// The lines that a sink for `transport` writes, judged by the linter.
fn lines(
    transport: Transport,
    emit: impl FnOnce(&LineSink, Timestamp),
) -> (Vec<String>, Metrics, Ledger) {
    let (output, captured) = Output::captured();
    let clock = clock();
    let now = clock.wall();
    let sink = LineSink::to(output, "orders", transport, clock);
    emit(&sink, now);
    assert!(sink.shutdown(std::time::Duration::from_secs(30)));
    let linter = Linter::default().transport(transport).now(now);
    let metrics = Metrics::read_with(&linter, &captured.text());
    (captured.lines(), metrics, sink.ledger())
}

const ITEMS: FieldKey = FieldKey::new("items");

fn shape() -> Shape {
    Shape::builder("Shop")
        .dimension_set(["Service"])
        .dimension_set(["Service", "Route"])
        .constant("Service", "orders")
        .metric(("Latency", Unit::Milliseconds))
        .metric(("Size", Unit::Bytes))
        .build()
        .unwrap()
}

#[test]
fn emf_e1_and_e21_fields_come_before_the_metadata_and_values_last() {
    let shape = shape();
    let (lines, ..) = lines(Transport::Api, |sink, now| {
        let record = Record::new(&shape, now).dimensions(&["/a"]).values(&[1.0, 2.0]);
        let fields = [("order", "o-17".into()), ("_aws", ValueRef::U64(1))];
        let record = record.fields(&fields);
        sink.emit(&record.known_fields(&[(&ITEMS, ValueRef::U64(3))]));
    });
    let place =
        |text: &str| lines[0].find(text).unwrap_or_else(|| panic!("{text} in {}", lines[0]));
    assert!(place("\"timestamp\"") < place("\"items\":3"));
    assert!(place("\"items\":3") < place("\"order\""));
    assert!(place("\"field__aws\"") < place("\"_aws\""));
    assert!(place("\"_aws\"") < place("\"Route\""));
    assert!(place("\"Route\"") < place("\"Latency\""));
}

#[test]
fn emf_e4_a_time_outside_the_window_becomes_the_present_one() {
    let shape = shape();
    let old = Timestamp::from_unix_millis(1_000);
    let (lines, metrics, ledger) = lines(Transport::Api, |sink, _| {
        sink.emit(&Record::new(&shape, old).dimensions(&["/a"]).values(&[1.0, 2.0]));
    });
    assert_eq!(metrics.points().next().unwrap().timestamp, clock().wall().unix_millis());
    assert!(lines[0].contains("\"event_timestamp\":1000"));
    assert_eq!(ledger.repaired(Repair::Timestamp), 1);
}

#[test]
fn emf_e11_more_than_100_metrics_go_into_several_records() {
    let shape = shape();
    let names: Vec<String> = (0..250).map(|number| format!("M{number}")).collect();
    let points = [(1.5, 1)];
    let series: Vec<_> = names.iter().map(|name| Series::new(name, Unit::Count, &points)).collect();
    let (lines, metrics, ledger) = lines(Transport::Api, |sink, now| {
        sink.emit(&Record::new(&shape, now).dimensions(&["/a"]).series(&series));
    });
    assert_eq!(lines.len(), 3);
    assert_eq!(metrics.observations(), 250.0);
    assert_eq!((ledger.appended, ledger.emitted), (250, 250));
    assert_eq!(ledger.repaired(Repair::Split), 2);
}

#[test]
fn emf_e13_and_e14_more_than_100_values_go_into_several_records_with_their_counts() {
    let shape = shape();
    let points: Vec<_> = (0..250_u64).map(|value| (value as f64, value + 1)).collect();
    let total: u64 = points.iter().map(|point| point.1).sum();
    let (lines, metrics, ledger) = lines(Transport::Api, |sink, now| {
        let series = [Series::new("Wait", Unit::Milliseconds, &points)];
        sink.emit(&Record::new(&shape, now).dimensions(&["/a"]).series(&series));
    });
    assert_eq!(lines.len(), 3);
    let wait = assert_metric(&metrics, "Wait", &[("Service", "orders"), ("Route", "/a")]);
    assert_eq!(wait.count(), total as f64);
    assert_eq!(wait.max(), 249.0);
    assert_eq!(ledger.emitted, total);
}

#[test]
fn emf_e2_and_r5_records_are_split_by_bytes_and_later_parts_carry_the_ids() {
    let shape = shape();
    let names: Vec<String> = (0..90).map(|number| format!("{number}{}", "M".repeat(200))).collect();
    let points: Vec<_> = (0..50).map(|value| (f64::from(value) + 0.123_456_789, 3)).collect();
    let series: Vec<_> = names.iter().map(|name| Series::new(name, Unit::Count, &points)).collect();
    let (lines, metrics, ledger) = lines(Transport::ContainerStdout, |sink, now| {
        sink.emit(
            &Record::new(&shape, now)
                .dimensions(&["/a"])
                .values(&[1.0, 2.0])
                .series(&series)
                .fields(&[("stack", "s".repeat(10_000).as_str().into())]),
        );
    });
    assert!(lines.len() > 5);
    assert!(lines.iter().all(|line| line.contains("\"part\":") && line.contains("\"service\":")));
    assert_eq!(ledger.emitted, 2 + 90 * 150);
    assert_eq!(metrics.observations(), ledger.emitted as f64);
}

#[test]
fn a_declaration_too_long_for_a_line_is_written_metric_by_metric() {
    let mut builder = Shape::builder("Shop").dimension_set(["Service"]).constant("Service", "a");
    for number in 0..100 {
        builder = builder.metric((format!("{number}{}", "M".repeat(200)).as_str(), Unit::Count));
    }
    let shape = builder.build().unwrap();
    let values: Vec<f64> = (0..100).map(f64::from).collect();
    let (lines, metrics, ledger) = lines(Transport::ContainerStdout, |sink, now| {
        sink.emit(&Record::new(&shape, now).values(&values).fields(&[("a", ValueRef::Bool(true))]));
    });
    assert!(lines.len() > 2);
    assert_eq!(metrics.observations(), 100.0);
    assert_eq!((ledger.appended, ledger.emitted), (100, 100));
}

#[test]
fn what_does_not_fit_even_alone_is_lost_and_counted() {
    let names: Vec<String> = (0..30).map(|number| format!("D{number}")).collect();
    let shape = Shape::builder("Shop")
        .dimension_set(names)
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap();
    let long = "v".repeat(1024);
    let dimensions = vec![long.as_str(); 30];
    let points = [(1.0, 5)];
    let (_, metrics, ledger) = lines(Transport::ContainerStdout, |sink, now| {
        let series = [Series::new("Wait", Unit::Count, &points)];
        sink.emit(&Record::new(&shape, now).dimensions(&dimensions).values(&[1.0]).series(&series));
    });
    assert_eq!(metrics.observations(), 0.0);
    assert_eq!(ledger.dropped_for(DropReason::TooLarge), 6);
    assert!(ledger.is_conserved() && ledger.pending == 0);
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-C][a-z]{0,3}",
        1 => any::<String>(),
        1 => Just("Latency".to_owned()),
        1 => Just("Route".to_owned()),
        1 => Just("_aws".to_owned()),
        1 => "[A-Z\"\\\\]{200,300}",
    ]
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => prop::num::f64::ANY,
        2 => (0..1_000_i32).prop_map(f64::from),
        1 => Just(ABSENT),
        1 => Just(f64::MIN_POSITIVE),
    ]
}

fn any_points() -> impl Strategy<Value = Vec<(f64, u64)>> {
    prop::collection::vec((any_number(), prop_oneof![0..3_u64, 0..1_u64 << 40]), 0..230)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_record_makes_only_lines_that_the_linter_accepts_and_keeps_its_totals(
        transport in prop::sample::select(vec![
            Transport::ContainerStdout, Transport::Udp, Transport::Agent, Transport::Api,
        ]),
        dimensions in prop::collection::vec(prop_oneof![any::<String>(), "[a-z]{0,3000}"], 0..3),
        values in prop::collection::vec(any_number(), 0..4),
        extras in prop::collection::vec((any_name(), any_number()), 0..150),
        series in prop::collection::vec((any_name(), any_points()), 0..8),
        fields in prop::collection::vec((any::<String>(), prop_oneof![any::<String>(), "[a-z]{0,20000}"]), 0..5),
        millis in prop_oneof![any::<u64>(), Just(1_767_225_600_000)],
    ) {
        let shape = shape();
        let dimensions: Vec<&str> = dimensions.iter().map(String::as_str).collect();
        let extras: Vec<(Descriptor, f64)> = extras
            .iter()
            .map(|(name, value)| {
                (Descriptor::new(String::leak(name.clone()), Unit::Count, ""), *value)
            })
            .collect();
        let extras: Vec<Extra<'_>> = extras.iter().map(|(metric, value)| (metric, *value)).collect();
        let series: Vec<Series<'_>> =
            series.iter().map(|(name, points)| Series::new(name, Unit::Count, points)).collect();
        let fields: Vec<(&str, ValueRef<'_>)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str().into())).collect();
        let mut given = 0;
        let (_, metrics, ledger) = lines(transport, |sink, _| {
            let record = Record::new(&shape, Timestamp::from_unix_millis(millis))
                .dimensions(&dimensions)
                .values(&values)
                .extras(&extras)
                .series(&series)
                .fields(&fields);
            given = record.points();
            sink.emit(&record);
        });
        prop_assert_eq!(ledger.appended, given);
        prop_assert_eq!(ledger.appended, ledger.emitted + ledger.dropped());
        prop_assert_eq!(metrics.observations(), ledger.emitted as f64);
    }
}
