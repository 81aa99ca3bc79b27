//! The contract of [`Sink`], whatever it writes to.

use std::time::Duration;

use obs_core::clock::{Clock, ManualClock, Timestamp};
use obs_core::metric::Unit;
use obs_emf::sink::Sink;
use obs_emf::{Record, Shape};

/// No test waits so long unless something hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

const THREADS: u64 = 64;
const VALUES: u64 = 50;

/// The data points of [`from_64_threads`] that can be delivered.
pub(crate) const POINTS: u64 = THREADS * VALUES;

pub(crate) fn clock() -> Clock {
    ManualClock::default().clock()
}

pub(crate) fn now() -> Timestamp {
    clock().wall()
}

pub(crate) fn shape() -> Shape {
    shape_in("Shop")
}

fn shape_in(namespace: &str) -> Shape {
    Shape::builder(namespace)
        .dimension_set(["Worker"])
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap()
}

/// Hands in one value of the series of `worker`.
pub(crate) fn emit(sink: &dyn Sink, worker: &str, value: f64) {
    sink.emit(&Record::new(&shape(), now()).dimensions(&[worker]).values(&[value]));
}

/// Hands in 50 values and a NaN from each of 64 threads.
pub(crate) fn from_64_threads(sink: &dyn Sink) {
    in_namespace(sink, "Shop", now());
}

/// As [`from_64_threads`], for parts that are shared and have a time of their own.
pub(crate) fn in_namespace(sink: &dyn Sink, namespace: &str, now: Timestamp) {
    let shape = shape_in(namespace);
    std::thread::scope(|scope| {
        for worker in 0..THREADS {
            let shape = &shape;
            scope.spawn(move || {
                let worker = worker.to_string();
                let dimensions = [worker.as_str()];
                let record = Record::new(shape, now).dimensions(&dimensions);
                for value in 0..VALUES {
                    sink.emit(&record.values(&[value as f64]));
                }
                sink.emit(&record.values(&[f64::NAN]));
            });
        }
    });
}

/// Holds a sink whose destination takes everything to the contract.
pub(crate) fn keeps_the_contract(sink: &dyn Sink) {
    from_64_threads(sink);
    settles(sink);
}

/// The part of the contract that follows [`in_namespace`].
pub(crate) fn settles(sink: &dyn Sink) {
    assert!(sink.ledger().is_conserved());
    assert!(sink.flush(LIMIT));
    let ledger = sink.ledger();
    assert_eq!((ledger.pending, ledger.emitted), (0, POINTS), "a flush leaves nothing behind");
    assert!(sink.shutdown(LIMIT));
    assert!(sink.shutdown(LIMIT), "a second shutdown says the same");
    let ledger = sink.ledger();
    assert!(ledger.is_conserved(), "{ledger:?}");
    assert_eq!((ledger.pending, ledger.appended), (0, POINTS + THREADS));
    assert_eq!((ledger.emitted, ledger.dropped()), (POINTS, THREADS), "the NaNs");
    emit(sink, "late", 1.0);
    let ledger = sink.ledger();
    assert_eq!((ledger.pending, ledger.appended), (0, POINTS + THREADS + 1));
    assert!(ledger.is_conserved(), "what comes after the shutdown has a fate too");
}
