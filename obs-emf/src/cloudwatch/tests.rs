use obs_core::clock::ManualClock;
use obs_core::metric::Unit;

use super::send::Refusal;
use super::*;
use crate::declare::{Resolution, Shape};
use crate::encode::Series;
use crate::limits::{LARGEST_VALUE, SMALLEST_VALUE};

#[path = "../../tests/contract/mod.rs"]
mod contract;

use contract::LIMIT;

/// The service's rules, and what it stored.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    calls: Vec<Vec<Datum>>,
    throttled: u32,
    denied: bool,
    /// How often it was called.
    asked: u32,
    refuses: Option<&'static str>,
}

impl Api for Service {
    async fn put(&self, data: &[Datum]) -> Result<(), Refusal> {
        let mut stored = self.0.lock().unwrap();
        stored.asked += 1;
        if stored.denied {
            return Err(Refusal::Denied);
        }
        if stored.throttled > 0 {
            stored.throttled -= 1;
            return Err(Refusal::Transient);
        }
        assert!(data.len() <= 1_000, "emf_p1");
        assert!(data.iter().all(|datum| datum.namespace == data[0].namespace));
        for datum in data {
            assert!((1..=150).contains(&datum.values.len()), "emf_p2");
            for &(value, count) in &datum.values {
                let magnitude = value.abs();
                let good = value == 0.0 || (SMALLEST_VALUE..=LARGEST_VALUE).contains(&magnitude);
                assert!(good && count > 0, "emf_p3 {value}");
            }
            assert!(datum.dimensions.len() <= 30, "emf_p5");
            assert!(datum.dimensions.iter().all(|(_, value)| !value.trim().is_empty()));
        }
        if data.iter().any(|datum| stored.refuses == Some(datum.name.as_str())) {
            return Err(Refusal::Invalid);
        }
        stored.calls.push(data.to_vec());
        Ok(())
    }
}

fn sink(service: &Service) -> CloudWatchSink {
    let clock = ManualClock::default().clock();
    CloudWatchSink::start(service.clone(), clock, IdGenerator::seeded(1)).unwrap()
}

fn shape() -> Shape {
    Shape::builder("Shop")
        .dimension_set(["Service"])
        .dimension_set(["Service", "Route"])
        .constant("Service", "orders")
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap()
}

fn now() -> obs_core::clock::Timestamp {
    ManualClock::default().clock().wall()
}

#[test]
fn the_sink_keeps_the_contract() {
    let service = Service::default();
    contract::keeps_the_contract(&sink(&service));
    let stored = service.0.lock().unwrap();
    let points: u64 = stored.calls.iter().flatten().map(|datum| datum.points).sum();
    assert_eq!(points, contract::POINTS);
}

#[test]
fn a_service_that_never_answers_neither_blocks_64_threads_nor_hides_a_loss() {
    let clock = ManualClock::default().clock();
    let sink = CloudWatchSink::start(Silent, clock, IdGenerator::seeded(1)).unwrap();
    contract::from_64_threads(&sink);
    contract::from_64_threads(&sink);
    let points = [(1.0, 1)];
    let names: Vec<String> = (0..100).map(|number| format!("M{number}")).collect();
    let series: Vec<_> = names.iter().map(|name| Series::new(name, Unit::Count, &points)).collect();
    let shape = shape();
    for _ in 0..200 {
        sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).series(&series));
    }
    let ledger = sink.ledger();
    assert!(ledger.dropped_for(DropReason::QueueFull) > 0 && ledger.is_conserved(), "{ledger:?}");
    assert!(!sink.shutdown(Duration::from_millis(1)));
    let ledger = sink.ledger();
    assert_eq!((ledger.pending, ledger.emitted), (0, 0));
    assert_eq!(ledger.appended, ledger.dropped());
}

#[test]
fn a_caller_without_permission_calls_once_and_counts_what_it_lost() {
    let (service, shape) = (Service::default(), shape());
    service.0.lock().unwrap().denied = true;
    let sink = sink(&service);
    let names: Vec<String> = (0..100).map(|number| format!("M{number}")).collect();
    let points = [(1.0, 1)];
    let series: Vec<_> = names.iter().map(|name| Series::new(name, Unit::Count, &points)).collect();
    sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).series(&series));
    assert!(sink.shutdown(LIMIT));
    assert_eq!(sink.ledger().dropped_for(DropReason::Refused), 100);
    assert_eq!(service.0.lock().unwrap().asked, 1);
}

#[test]
fn a_flush_waits_for_what_came_before_it_only() {
    let (service, shape) = (Service::default(), shape());
    let sink = sink(&service);
    assert!(sink.flush(LIMIT), "with nothing to wait for");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (done, shape, sink) = (&done, &shape, &sink);
        let busy = scope.spawn(move || {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                sink.emit(&Record::new(shape, now()).dimensions(&["/a"]).values(&[1.0]));
            }
        });
        sink.emit(&Record::new(shape, now()).dimensions(&["/b"]).values(&[1.0]));
        assert!(sink.flush(LIMIT), "although another thread never stops");
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        busy.join().unwrap();
    });
    let stored = service.0.lock().unwrap();
    let of_b = |datum: &&Datum| datum.dimensions.iter().any(|(_, value)| value == "/b");
    assert!(stored.calls.iter().flatten().any(|datum| of_b(&datum)));
}

#[test]
fn equal_series_of_a_minute_become_one_datum_with_counts() {
    let (service, shape) = (Service::default(), shape());
    let sink = sink(&service);
    for value in [1.0, 2.0, 2.0] {
        sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).values(&[value]));
    }
    assert!(sink.shutdown(LIMIT));
    let stored = service.0.lock().unwrap();
    let data: Vec<_> = stored.calls.iter().flatten().collect();
    assert_eq!(data.len(), 2, "one for each dimension set");
    assert!(data.iter().all(|datum| datum.values == [(1.0, 1), (2.0, 2)]));
    assert_eq!((sink.ledger().appended, sink.ledger().emitted), (3, 3));
}

#[test]
fn emf_p1_and_p2_calls_have_at_most_1000_metrics_of_150_values() {
    let (service, shape) = (Service::default(), shape());
    let sink = sink(&service);
    let names: Vec<String> = (0..600).map(|number| format!("M{number}")).collect();
    let points: Vec<_> = (0..400).map(|value| (f64::from(value), 2)).collect();
    let series: Vec<_> = names.iter().map(|name| Series::new(name, Unit::Count, &points)).collect();
    sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).series(&series));
    assert!(sink.flush(LIMIT) && sink.shutdown(LIMIT));
    assert!(service.0.lock().unwrap().calls.len() >= 4);
    assert_eq!(sink.ledger().emitted, 600 * 800);
    assert!(sink.ledger().is_conserved());
}

#[test]
fn emf_p3_a_value_that_would_fail_the_call_is_left_out() {
    let (service, shape) = (Service::default(), shape());
    let sink = sink(&service);
    let points = [(f64::NAN, 3), (1.0, 1), (f64::MAX, 2), (f64::MIN_POSITIVE, 1)];
    let series = [Series::new("Wait", Unit::Count, &points)];
    sink.emit(&Record::new(&shape, now()).dimensions(&[""]).values(&[f64::NAN]).series(&series));
    assert!(sink.shutdown(LIMIT));
    let ledger = sink.ledger();
    assert_eq!((ledger.appended, ledger.emitted, ledger.dropped()), (8, 2, 6));
    assert!(ledger.is_conserved());
}

#[test]
fn emf_p3_one_bad_datum_never_costs_the_call() {
    let (service, shape) = (Service::default(), shape());
    service.0.lock().unwrap().refuses = Some("M17");
    let sink = sink(&service);
    let names: Vec<String> = (0..100).map(|number| format!("M{number}")).collect();
    let points = [(1.0, 1)];
    let series: Vec<_> = names.iter().map(|name| Series::new(name, Unit::Count, &points)).collect();
    sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).series(&series));
    assert!(sink.shutdown(LIMIT));
    let ledger = sink.ledger();
    assert_eq!((ledger.emitted, ledger.dropped_for(DropReason::Refused)), (99, 1));
}

#[test]
fn emf_p11_a_throttled_call_is_repeated() {
    let (service, shape) = (Service::default(), shape());
    service.0.lock().unwrap().throttled = 2;
    let sink = sink(&service);
    sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).values(&[1.0]));
    assert!(sink.shutdown(LIMIT));
    assert_eq!(sink.ledger().emitted, 1);
}

#[test]
fn after_the_shutdown_records_are_lost_and_counted() {
    let (service, shape) = (Service::default(), shape());
    let sink = sink(&service);
    assert!(sink.shutdown(LIMIT));
    sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).values(&[1.0]));
    assert_eq!(sink.ledger().dropped_for(DropReason::Closed), 1);
}

/// A service that never answers.
struct Silent;

impl Api for Silent {
    async fn put(&self, _: &[Datum]) -> Result<(), Refusal> {
        std::future::pending().await
    }
}

#[test]
fn a_shutdown_keeps_its_limit_and_counts_what_it_leaves_behind() {
    let shape = shape();
    let clock = ManualClock::default().clock();
    let sink = CloudWatchSink::start(Silent, clock, IdGenerator::seeded(1)).unwrap();
    sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).values(&[1.0]));
    assert!(!sink.shutdown(Duration::from_millis(50)));
    let ledger = sink.ledger();
    assert_eq!((ledger.pending, ledger.dropped_for(DropReason::Closed)), (0, 1));
}

fn stored(service: &Service) -> Vec<Datum> {
    service.0.lock().unwrap().calls.iter().flatten().cloned().collect()
}

#[test]
fn emf_p4_p8_and_p9_a_datum_has_values_with_counts_and_nothing_else() {
    let (service, shape) = (Service::default(), shape());
    let sink = sink(&service);
    let points = [(2.0, 3)];
    let series = [Series::new("Rate", Unit::Count, &points).resolution(Resolution::High)];
    sink.emit(&Record::new(&shape, now()).dimensions(&["/a"]).values(&[1.0]).series(&series));
    assert!(sink.shutdown(LIMIT));
    for datum in stored(&service) {
        let wire = send::wire(&datum);
        assert_eq!((wire.value(), wire.statistic_values()), (None, None));
        assert_eq!(wire.values().len(), wire.counts().len());
        let resolution = if datum.name == "Rate" { 1 } else { 60 };
        assert_eq!(wire.storage_resolution(), Some(resolution));
    }
}

#[test]
fn emf_p5_and_p6_names_and_dimensions_are_what_the_service_takes() {
    let names: Vec<String> = (0..30).map(|number| format!("D{number}")).collect();
    let shape = Shape::builder("Shop")
        .dimension_set(names)
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap();
    let service = Service::default();
    let sink = sink(&service);
    let long = "v".repeat(3_000);
    let dimensions = ["", " ", "zürich", "a\nb", long.as_str()].repeat(6);
    let points = [(1.0, 1)];
    let bad = ["", " ", ":x", "é", "_aws"].map(|name| Series::new(name, Unit::Count, &points));
    let record = Record::new(&shape, now()).dimensions(&dimensions).values(&[1.0]);
    sink.emit(&record.series(&bad));
    assert!(sink.shutdown(LIMIT));
    let [datum] = &stored(&service)[..] else { panic!("one datum") };
    assert_eq!(datum.dimensions.len(), 30);
    for (_, value) in &datum.dimensions {
        assert!((1..=1024).contains(&value.len()) && !value.trim().is_empty());
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
    assert_eq!(sink.ledger().dropped_for(DropReason::InvalidName), 5);
}

#[test]
fn emf_p7_a_time_outside_the_window_becomes_the_present_one() {
    let (service, shape) = (Service::default(), shape());
    let sink = sink(&service);
    for millis in [0, u64::MAX / 2] {
        let time = obs_core::clock::Timestamp::from_unix_millis(millis);
        sink.emit(&Record::new(&shape, time).dimensions(&["/a"]).values(&[1.0]));
    }
    assert!(sink.shutdown(LIMIT));
    assert!(stored(&service).iter().all(|datum| datum.timestamp == now().unix_millis()));
    assert_eq!(sink.ledger().repaired(crate::Repair::Timestamp), 2);
}
