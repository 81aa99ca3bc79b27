//! A recorder for the `metrics` crate.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString};
use metrics::{CounterFn, GaugeFn, HistogramFn};
use obs_core::metric::{CounterCell, GaugeCell, HistogramCell, Unit};

use super::EmfRecorder;
use super::entry::{Entry, Kind};

/// Lets code that measures through the `metrics` crate record into an [`EmfRecorder`].
///
/// Values stay `f64` throughout. Units that CloudWatch does not have are converted: nanoseconds
/// to microseconds, binary multiples to bytes; a counter of nanoseconds has no unit, since it
/// could not be divided. Describe a metric before its first use, or it has no unit.
///
/// ```
/// use std::sync::Arc;
/// use obs_core::clock::Clock;
/// use obs_emf::recorder::{EmfRecorder, Facade};
///
/// let recorder = Arc::new(EmfRecorder::new("Shop", "orders", "prod", Clock::system())?);
/// metrics::with_local_recorder(&Facade::new(recorder.clone()), || {
///     metrics::counter!("orders_placed", "channel" => "web").increment(1);
/// });
/// assert_eq!(recorder.active_series(), 1);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Facade {
    recorder: Arc<EmfRecorder>,
    units: RwLock<HashMap<String, metrics::Unit>>,
}

impl Facade {
    /// Records into `recorder`; install it with `metrics::set_global_recorder`.
    #[must_use]
    pub fn new(recorder: Arc<EmfRecorder>) -> Self {
        Self { recorder, units: RwLock::default() }
    }

    fn describe(&self, key: &KeyName, unit: Option<metrics::Unit>) {
        if let Some(unit) = unit {
            let mut units = self.units.write().unwrap_or_else(PoisonError::into_inner);
            units.insert(key.as_str().to_owned(), unit);
        }
    }

    fn scaled(&self, key: &Key, kind: Kind) -> Option<Arc<Scaled>> {
        let units = self.units.read().unwrap_or_else(PoisonError::into_inner);
        let (unit, scale) = match units.get(key.name()) {
            Some(metrics::Unit::Nanoseconds) if kind == Kind::Counter => (Unit::None, 1.0),
            Some(unit) => convert(*unit),
            None => (Unit::None, 1.0),
        };
        let labels: Vec<(&str, &str)> =
            key.labels().map(|label| (label.key(), label.value())).collect();
        // A name that CloudWatch refuses gets no handle; there is no place for its values.
        let entry = self.recorder.entry(key.name(), unit, &labels, kind).ok()?;
        Some(Arc::new(Scaled { entry, scale }))
    }
}

fn convert(unit: metrics::Unit) -> (Unit, f64) {
    use metrics::Unit as From;
    match unit {
        From::Count => (Unit::Count, 1.0),
        From::Percent => (Unit::Percent, 1.0),
        From::Seconds => (Unit::Seconds, 1.0),
        From::Milliseconds => (Unit::Milliseconds, 1.0),
        From::Microseconds => (Unit::Microseconds, 1.0),
        From::Nanoseconds => (Unit::Microseconds, 0.001),
        From::Tebibytes => (Unit::Bytes, 1_099_511_627_776.0),
        From::Gibibytes => (Unit::Bytes, 1_073_741_824.0),
        From::Mebibytes => (Unit::Bytes, 1_048_576.0),
        From::Kibibytes => (Unit::Bytes, 1_024.0),
        From::Bytes => (Unit::Bytes, 1.0),
        From::TerabitsPerSecond => (Unit::TerabitsPerSecond, 1.0),
        From::GigabitsPerSecond => (Unit::GigabitsPerSecond, 1.0),
        From::MegabitsPerSecond => (Unit::MegabitsPerSecond, 1.0),
        From::KilobitsPerSecond => (Unit::KilobitsPerSecond, 1.0),
        From::BitsPerSecond => (Unit::BitsPerSecond, 1.0),
        From::CountPerSecond => (Unit::CountPerSecond, 1.0),
    }
}

impl Recorder for Facade {
    fn describe_counter(&self, key: KeyName, unit: Option<metrics::Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<metrics::Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<metrics::Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.scaled(key, Kind::Counter).map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.scaled(key, Kind::Gauge).map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.scaled(key, Kind::Histogram).map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

#[derive(Debug)]
struct Scaled {
    entry: Arc<Entry>,
    scale: f64,
}

impl CounterFn for Scaled {
    fn increment(&self, value: u64) {
        // Counters are scaled up only, by whole numbers.
        CounterCell::add(&*self.entry, value.saturating_mul(self.scale as u64));
    }

    fn absolute(&self, value: u64) {
        CounterFn::increment(self, self.entry.grow_to(value));
    }
}

impl GaugeFn for Scaled {
    fn increment(&self, value: f64) {
        GaugeCell::add(&*self.entry, value * self.scale);
    }

    fn decrement(&self, value: f64) {
        GaugeCell::add(&*self.entry, -value * self.scale);
    }

    fn set(&self, value: f64) {
        GaugeCell::set(&*self.entry, value * self.scale);
    }
}

impl HistogramFn for Scaled {
    fn record(&self, value: f64) {
        HistogramCell::record(&*self.entry, value * self.scale);
    }
}

#[cfg(test)]
mod tests {
    use obs_core::clock::ManualClock;
    use obs_core::output::Output;

    use super::*;
    use crate::aggregate::Drain;
    use crate::limits::Transport;
    use crate::lint::{Metrics, assert_metric};
    use crate::sink::{LineSink, Sink};

    #[test]
    fn values_below_one_keep_their_size_and_units_are_converted() {
        let clock = ManualClock::default().clock();
        let recorder = EmfRecorder::new("Shop", "orders", "prod", clock.clone()).unwrap();
        let recorder = Arc::new(recorder);
        metrics::with_local_recorder(&Facade::new(recorder.clone()), || {
            metrics::describe_histogram!("wait", metrics::Unit::Nanoseconds, "");
            metrics::describe_gauge!("heap", metrics::Unit::Mebibytes, "");
            metrics::histogram!("wait").record(250.0);
            metrics::histogram!("ratio").record(0.25);
            metrics::gauge!("heap").set(2.0);
            metrics::gauge!("heap").increment(1.0);
            metrics::counter!("seen", "kind" => "a").increment(2);
            metrics::counter!("seen", "kind" => "a").absolute(5);
            metrics::counter!("seen", "kind" => "a").absolute(7);
            metrics::counter!("").increment(1);
        });
        let (output, captured) = Output::captured();
        let sink = LineSink::to(output, "orders", Transport::Api, clock);
        recorder.drain(&sink);
        assert!(sink.shutdown(std::time::Duration::from_secs(30)));
        let metrics = Metrics::read(&captured.text());
        let service = [("Service", "orders"), ("Environment", "prod")];
        assert_eq!(assert_metric(&metrics, "wait", &service).max(), 0.25);
        assert_eq!(assert_metric(&metrics, "ratio", &service).max(), 0.25);
        assert_eq!(assert_metric(&metrics, "heap", &service).max(), 3_145_728.0);
        let seen = [&service[..], &[("kind", "a")]].concat();
        assert_eq!(assert_metric(&metrics, "seen", &seen).sum(), 9.0);
        let unit = |name: &str| {
            metrics.points().find(|point| point.series.name == name).map(|point| point.unit.clone())
        };
        assert_eq!(unit("wait").as_deref(), Some("Microseconds"));
    }
}
