//! State changes as metrics and as lines.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::metric::{
    Counter, CounterCell, Descriptor, Gauge, GaugeCell, Histogram, HistogramCell, Label, Recorder,
};
use obs_health::{Dependency, HealthRegistry};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, span};

/// Keeps the last value of each series: counts added up, gauges and histograms as they come.
#[derive(Clone, Debug, Default)]
struct Book(Arc<Mutex<BTreeMap<String, f64>>>);

#[derive(Debug)]
struct Series(Book, String);

impl Series {
    fn put(&self, change: impl FnOnce(f64) -> f64) {
        let mut book = self.0.0.lock().unwrap();
        let value = book.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterCell for Series {
    fn add(&self, value: u64) {
        self.put(|sum| sum + value as f64);
    }
}

impl GaugeCell for Series {
    fn set(&self, value: f64) {
        self.put(|_| value);
    }

    fn add(&self, delta: f64) {
        self.put(|value| value + delta);
    }
}

impl HistogramCell for Series {
    fn record(&self, value: f64) {
        self.put(|_| value);
    }
}

impl Book {
    fn series(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Arc<Series> {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Arc::new(Series(self.clone(), format!("{}{{{}}}", metric.name, labels.join(","))))
    }

    fn read(&self, series: &str) -> Option<f64> {
        self.0.lock().unwrap().get(series).copied()
    }
}

impl Recorder for Book {
    fn counter(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Counter {
        Counter::new(self.series(metric, labels))
    }

    fn gauge(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Gauge {
        Gauge::new(self.series(metric, labels))
    }

    fn histogram(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Histogram {
        Histogram::new(self.series(metric, labels))
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_change_moves_the_gauge_and_counts() {
    let book = Book::default();
    let down = Dependency::required("db", || async {
        tokio::time::sleep(Duration::from_millis(40)).await;
        Err("refused")
    });
    let health = HealthRegistry::builder("orders")
        .clock(crate::support::clock())
        .dependency(down.failure_threshold(2).startup_grace(Duration::ZERO))
        .recorder(Arc::new(book.clone()))
        .build()
        .unwrap();
    health.refresh().await;
    assert_eq!(book.read("DependencyStateChanges{Dependency=db}"), None);
    health.refresh().await;
    assert_eq!(book.read("DependencyStateChanges{Dependency=db}"), Some(1.0));
    assert_eq!(book.read("DependencyUp{Dependency=db}"), Some(0.0));
    let duration = book.read("DependencyCheckDuration{Dependency=db}").unwrap();
    assert!((40.0..=45.0).contains(&duration), "{duration} ms");
}

/// Renders every event as `name=value` pairs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("obs_health")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0.trim_end().to_owned());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_state_change_and_a_drain_are_one_line_each() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let down = Dependency::required("db", || async { Err("refused") });
    let health = HealthRegistry::builder("orders")
        .clock(crate::support::clock())
        .dependency(down.failure_threshold(1).startup_grace(Duration::ZERO))
        .build()
        .unwrap();
    health.refresh().await;
    health.refresh().await;
    health.begin_drain();
    health.begin_drain();
    assert_eq!(
        *lines.0.lock().unwrap(),
        [
            "WARN message=dependency changed dependency=\"db\" from=\"starting\" to=\"fail\" output=\"refused\"",
            "INFO message=drain began",
        ]
    );
}
