use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::environment::Environment;
use obs_core::output::{self, Capture, Output};
use obs_core::telemetry::Telemetry;
use proptest::prelude::*;

use super::*;
use crate::aggregate::Flusher;
use crate::limits::Transport;
use crate::lint::{Metrics, assert_metric};
use crate::sink::LineSink;

const HITS: Descriptor = Descriptor::new("CacheHits", Unit::Count, "");
const QUEUE: Descriptor = Descriptor::new("QueueLength", Unit::Count, "");
const WAIT: Descriptor = Descriptor::new("Wait", Unit::Milliseconds, "");
const LIMIT: Duration = Duration::from_secs(30);

fn recorder() -> Arc<EmfRecorder> {
    let clock = ManualClock::default().clock();
    Arc::new(EmfRecorder::new("Shop", "orders", "prod", clock).unwrap())
}

fn flusher(recorder: &Arc<EmfRecorder>) -> (Flusher, Capture) {
    let (output, captured) = Output::captured();
    let clock = ManualClock::default().clock();
    let sink = LineSink::to(output, "orders", Transport::ContainerStdout, clock);
    let flusher = Flusher::builder(Arc::new(sink)).drain(recorder.clone());
    (flusher.interval(Duration::from_secs(300)).start().unwrap(), captured)
}

const OF_SERVICE: [(&str, &str); 2] = [("Service", "orders"), ("Environment", "prod")];

#[test]
fn counters_are_sums_gauges_are_states_and_histograms_keep_their_counts() {
    let recorder = recorder();
    let (flusher, captured) = flusher(&recorder);
    let hits = recorder.counter(&HITS, &[("Cache", "product")]);
    let queue = recorder.gauge(&QUEUE, &[]);
    let wait = recorder.histogram(&WAIT, &[]);
    hits.add(3);
    recorder.counter(&HITS, &[("Cache", "product")]).add(4);
    queue.set(5.0);
    queue.add(-2.0);
    for value in 1..=1_000 {
        wait.record(f64::from(value));
    }
    assert!(flusher.flush(LIMIT));
    let metrics = Metrics::read(&captured.text());
    let of_cache = [&OF_SERVICE[..], &[("Cache", "product")]].concat();
    assert_eq!(assert_metric(&metrics, "CacheHits", &of_cache).values(), [(7.0, 1.0)]);
    assert_eq!(assert_metric(&metrics, "QueueLength", &OF_SERVICE).values(), [(3.0, 1.0)]);
    let wait = assert_metric(&metrics, "Wait", &OF_SERVICE);
    assert_eq!(wait.count(), 1_000.0);
    assert!((wait.sum() - 500_500.0).abs() < 1.0);
    assert!((wait.percentile(99.0) - 990.0).abs() < 9.9);

    captured.clear();
    assert!(flusher.flush(LIMIT));
    let metrics = Metrics::read(&captured.text());
    assert_eq!(metrics.find("CacheHits", &of_cache), None, "nothing was added");
    assert_eq!(assert_metric(&metrics, "QueueLength", &OF_SERVICE).max(), 3.0);
}

#[test]
fn a_series_without_handle_and_values_is_forgotten() {
    let recorder = recorder();
    let (flusher, _captured) = flusher(&recorder);
    let kept = recorder.counter(&HITS, &[("Cache", "kept")]);
    recorder.counter(&HITS, &[("Cache", "gone")]).add(1);
    for _ in 0..10 {
        assert!(flusher.flush(LIMIT));
    }
    assert_eq!(recorder.active_series(), 1);
    kept.add(1);
}

#[test]
fn labels_above_the_budget_share_one_series() {
    let recorder = recorder();
    let (flusher, captured) = flusher(&recorder);
    for tenant in 0..150 {
        recorder.counter(&HITS, &[("Tenant", &tenant.to_string())]).add(1);
    }
    assert_eq!(recorder.active_series(), 101);
    assert!(flusher.flush(LIMIT));
    let metrics = Metrics::read(&captured.text());
    let others = [&OF_SERVICE[..], &[("Tenant", "__other__")]].concat();
    assert_eq!(assert_metric(&metrics, "CacheHits", &others).sum(), 50.0);
    assert_eq!(flusher.ledger().repaired(Repair::SeriesBudget), 50);
}

fn of_three_tenants(overflow: Overflow) -> (String, Metrics, Ledger) {
    let clock = ManualClock::default().clock();
    let recorder = EmfRecorder::new("Shop", "orders", "prod", clock.clone()).unwrap();
    let recorder = Arc::new(recorder.guard(Guard::new(1, overflow, clock).unwrap()));
    let (flusher, captured) = flusher(&recorder);
    for tenant in ["a", "b", "c"] {
        recorder.counter(&HITS, &[("Tenant", tenant)]).add(1);
    }
    assert!(flusher.shutdown(LIMIT));
    let ledger = flusher.ledger();
    assert!(ledger.is_conserved() && ledger.pending == 0);
    assert_eq!(ledger.repaired(Repair::SeriesBudget), 2);
    (captured.text(), Metrics::read(&captured.text()), ledger)
}

#[test]
fn labels_above_the_budget_can_be_demoted_to_properties() {
    let (text, metrics, _) = of_three_tenants(Overflow::Demote);
    assert_eq!(assert_metric(&metrics, "CacheHits", &OF_SERVICE).sum(), 2.0);
    assert!(text.contains("\"Tenant\":\"c\""), "the latest of them: {text}");
    assert_eq!(metrics.find("CacheHits", &[&OF_SERVICE[..], &[("Tenant", "c")]].concat()), None);
}

#[test]
fn labels_above_the_budget_can_be_dropped_with_their_values() {
    let (_, metrics, ledger) = of_three_tenants(Overflow::DropSet);
    assert_eq!(metrics.observations(), 1.0);
    assert_eq!(ledger.dropped_for(DropReason::SeriesBudget), 2);
}

#[test]
fn emf_e25_and_r3_the_agents_log_group_and_the_entity_are_on_each_line() {
    let clock = ManualClock::default().clock();
    let environment = Environment::from([("AWS_EMF_LOG_GROUP_NAME", "/shop/orders")]);
    let resource = Resource::default().with("k8s.pod.name", "orders-1");
    let recorder = EmfRecorder::new("Shop", "orders", "prod", clock).unwrap();
    let recorder = recorder.entity(&resource).unwrap().from_environment(&environment).unwrap();
    let recorder = Arc::new(recorder);
    let (flusher, captured) = flusher(&recorder);
    recorder.counter(&HITS, &[]).add(1);
    assert!(flusher.shutdown(LIMIT));
    let text = captured.text();
    assert!(text.contains("\"_aws\":{\"LogGroupName\":\"/shop/orders\","), "{text}");
    assert!(text.contains("\"K8s.Pod\":\"orders-1\""), "{text}");
    assert_eq!(Metrics::read(&text).observations(), 1.0);
    let bad = Environment::from([("AWS_EMF_LOG_GROUP_NAME", "a b")]);
    let clock = ManualClock::default().clock();
    let recorder = EmfRecorder::new("Shop", "orders", "prod", clock).unwrap();
    assert_eq!(recorder.from_environment(&bad).unwrap_err().field(), "log_group");
}

#[test]
fn a_metric_with_a_bad_name_counts_its_values_as_lost() {
    let recorder = recorder();
    recorder.counter(&Descriptor::new("", Unit::Count, ""), &[]).add(5);
    recorder.histogram(&Descriptor::new("Service", Unit::Count, ""), &[]).record(1.0);
    recorder.histogram(&Descriptor::new("Cache", Unit::Count, ""), &[("Cache", "x")]).record(1.0);
    recorder.histogram(&WAIT, &[]).record(f64::NAN);
    let ledger = recorder.ledger();
    assert_eq!(ledger.dropped_for(DropReason::InvalidName), 2);
    assert_eq!(ledger.dropped_for(DropReason::NameClash), 1);
    assert_eq!(ledger.dropped_for(DropReason::NotFinite), 1);
    assert!(ledger.is_conserved());
}

#[test]
fn kinds_with_the_same_name_do_not_get_into_one_record() {
    let recorder = recorder();
    let (flusher, captured) = flusher(&recorder);
    recorder.counter(&WAIT, &[]).add(1);
    recorder.histogram(&WAIT, &[]).record(2.0);
    recorder.gauge(&WAIT, &[]).set(3.0);
    assert!(flusher.flush(LIMIT));
    let metrics = Metrics::read(&captured.text());
    assert_eq!(assert_metric(&metrics, "Wait", &OF_SERVICE).count(), 3.0);
}

#[test]
fn sixty_four_threads_and_a_shutdown_right_after_lose_nothing() {
    let recorder = recorder();
    let (flusher, captured) = flusher(&recorder);
    std::thread::scope(|scope| {
        for worker in 0..64 {
            let recorder = &recorder;
            let flusher = &flusher;
            scope.spawn(move || {
                let wait = recorder.histogram(&WAIT, &[]);
                let hits = recorder.counter(&HITS, &[]);
                for value in 0..500 {
                    wait.record(f64::from(value));
                    hits.add(1);
                }
                if worker % 16 == 0 {
                    assert!(flusher.flush(LIMIT));
                }
            });
        }
    });
    assert!(flusher.shutdown(LIMIT));
    let metrics = Metrics::read(&captured.text());
    assert_eq!(assert_metric(&metrics, "Wait", &OF_SERVICE).count(), 64.0 * 500.0);
    assert_eq!(assert_metric(&metrics, "CacheHits", &OF_SERVICE).sum(), 64.0 * 500.0);
    let ledger = flusher.ledger();
    assert!(ledger.is_conserved() && ledger.pending == 0);
    assert_eq!(ledger.emitted as f64, metrics.observations());
}

#[test]
fn the_pipeline_reports_its_losses_series_and_bytes() {
    let recorder = recorder();
    let (output, captured) = Output::captured();
    let manual = ManualClock::default();
    let sink = LineSink::to(output, "orders", Transport::Api, manual.clock());
    let flusher = Flusher::builder(Arc::new(sink))
        .drain(recorder.clone())
        .self_metrics(recorder.clone(), manual.clock())
        .interval(Duration::from_secs(300))
        .start()
        .unwrap();
    recorder.histogram(&WAIT, &[]).record(f64::NAN);
    recorder.histogram(&WAIT, &[]).record(1.0);
    manual.advance(Duration::from_secs(10));
    assert!(flusher.flush(LIMIT));
    manual.advance(Duration::from_secs(10));
    assert!(flusher.flush(LIMIT));
    let metrics = Metrics::read(&captured.text());
    assert_eq!(assert_metric(&metrics, "EmfDropped", &OF_SERVICE).sum(), 1.0);
    let by_reason = [&OF_SERVICE[..], &[("Reason", "not_finite")]].concat();
    assert_eq!(assert_metric(&metrics, "EmfDropped", &by_reason).sum(), 1.0);
    assert!(assert_metric(&metrics, "EmfActiveSeries", &OF_SERVICE).max() >= 3.0);
    assert!(assert_metric(&metrics, "EmfBytesPerSecond", &OF_SERVICE).max() > 10.0);
}

#[test]
fn an_attached_telemetry_reports_of_itself_with_each_flush() {
    let recorder = recorder();
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .metrics(recorder.clone())
        .build()
        .unwrap();
    let sink = Arc::new(LineSink::of(&telemetry));
    let flusher = Flusher::builder(sink).drain(recorder).interval(LIMIT).start().unwrap();
    flusher.attach(&telemetry);
    telemetry.output().write(output::Class::Info, b"{}\n");
    telemetry.output().dropped(output::Class::Debug, output::DropReason::RateLimited, 3);
    assert!(telemetry.output().flush(LIMIT));
    // Of its own accord, as at the end of each interval.
    assert!(flusher.flush(LIMIT));
    let metrics = Metrics::read(&captured.text().replace("{}\n", ""));
    assert_eq!(assert_metric(&metrics, "LinesWritten", &OF_SERVICE).sum(), 1.0);
    let by_reason = [&OF_SERVICE[..], &[("Reason", "rate_limited")]].concat();
    assert_eq!(assert_metric(&metrics, "LinesDropped", &by_reason).sum(), 3.0);
    assert_eq!(assert_metric(&metrics, "SpansPending", &OF_SERVICE).max(), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_use_makes_only_lines_that_the_linter_accepts(
        uses in prop::collection::vec(
            (
                prop_oneof![3 => "[a-c]{1,2}", 1 => any::<String>()],
                prop::collection::vec((prop_oneof![3 => "[d-f]{1,2}", 1 => any::<String>()], any::<String>()), 0..40),
                0..3_u8,
                prop::num::f64::ANY,
            ),
            0..60,
        ),
    ) {
        let recorder = recorder();
        let (flusher, captured) = flusher(&recorder);
        for (name, labels, kind, value) in &uses {
            let metric = Descriptor::new(String::leak(name.clone()), Unit::None, "");
            let labels: Vec<Label<'_>> = labels
                .iter()
                .map(|(name, value)| (&*String::leak(name.clone()), value.as_str()))
                .collect();
            match kind {
                0 => recorder.counter(&metric, &labels).add(value.to_bits() >> 40),
                1 => recorder.gauge(&metric, &labels).set(*value),
                _ => recorder.histogram(&metric, &labels).record(*value),
            }
        }
        prop_assert!(flusher.shutdown(LIMIT));
        let metrics = Metrics::read(&captured.text());
        let ledger = flusher.ledger();
        prop_assert!(ledger.is_conserved() && ledger.pending == 0);
        prop_assert_eq!(metrics.observations(), ledger.emitted as f64);
    }
}

#[test]
fn series_are_counted_by_metric() {
    static HITS: Descriptor = Descriptor::new("Hits", Unit::Count, "");
    static WAIT: Descriptor = Descriptor::new("Wait", Unit::Milliseconds, "");
    let recorder = EmfRecorder::new("Shop", "orders", "prod", Clock::system()).unwrap();
    let _hits = ["a", "b"].map(|cache| recorder.counter(&HITS, &[("Cache", cache)]));
    let _wait = recorder.histogram(&WAIT, &[]);
    let series = recorder.series_by_metric();
    assert_eq!(series.into_iter().collect::<Vec<_>>(), [("Hits".into(), 2), ("Wait".into(), 1)]);
}
