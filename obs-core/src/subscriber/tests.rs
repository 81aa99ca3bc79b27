use std::sync::LazyLock;
use std::time::Duration;

use tracing::{Dispatch, Level, info_span};
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::clock::ManualClock;
use crate::context::RequestContext;
use crate::environment::Environment;
use crate::id::IdGenerator;
use crate::output::{Capture, DropReason, Output};
use crate::telemetry::Telemetry;
use crate::telemetry::live_filters::one_at_a_time;

const LONG: Duration = Duration::from_secs(30);

fn telemetry(directives: &str) -> (Telemetry, Capture) {
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::from([("RUST_LOG", directives)]))
        .clock(ManualClock::default().clock())
        .ids(IdGenerator::seeded(7))
        .output(output)
        .build()
        .unwrap();
    (telemetry, captured)
}

/// Runs `work` under `telemetry` and returns the lines it wrote.
/// A dispatcher of a test's own.
///
/// Two others are kept for as long as the process lives: as long as there is only one, `tracing` asks
/// the thread that happens to ask, which may have none, and believes that nobody listens.
pub(super) fn dispatch(subscriber: impl tracing::Subscriber + Send + Sync) -> Dispatch {
    static KEPT: LazyLock<[Dispatch; 2]> = LazyLock::new(|| {
        [(); 2].map(|()| Dispatch::new(tracing_subscriber::registry().with(ObsLayer::alone())))
    });
    one_at_a_time(|| {
        LazyLock::force(&KEPT);
        Dispatch::new(subscriber)
    })
}

fn lines(directives: &str, work: impl FnOnce(&Telemetry)) -> Vec<String> {
    let (telemetry, captured) = telemetry(directives);
    let dispatch = dispatch(tracing_subscriber::registry().with(ObsLayer::alone()));
    tracing::dispatcher::with_default(&dispatch, || {
        let _entered = telemetry.enter();
        work(&telemetry);
    });
    assert!(telemetry.flush(LONG));
    captured.lines()
}

const HEAD: &str = concat!(
    r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"INFO","message":"placed","#,
    r#""target":"shop","service":"orders""#
);

#[test]
fn an_event_becomes_one_line_with_its_fields_flat() {
    let lines = lines("info", |_| {
        tracing::info!(target: "shop", items = 3, price = 9.5, paid = true, sku = "a\"b", "placed");
    });
    assert_eq!(lines, [format!(r#"{HEAD},"items":3,"price":9.5,"paid":true,"sku":"a\"b"}}"#)]);
}

#[test]
fn a_message_given_as_a_late_field_still_comes_first() {
    let lines = lines("info", |_| tracing::info!(target: "shop", items = 3, message = "placed"));
    assert_eq!(lines, [format!(r#"{HEAD},"items":3}}"#)]);
}

#[test]
fn an_event_without_message_has_an_empty_one() {
    let lines = lines("info", |_| tracing::info!(items = 3));
    assert!(lines[0].contains(r#""message":"","#), "{}", lines[0]);
}

#[test]
fn span_fields_follow_the_events_from_the_inside_out_and_each_key_stands_once() {
    let lines = lines("info", |_| {
        let outer = info_span!("outer", cart = "c-1", step = "outer").entered();
        let inner = info_span!("inner", step = "inner", found = tracing::field::Empty);
        let _inner = inner.enter();
        inner.record("found", 1);
        inner.record("found", 2);
        tracing::info!(target: "shop", items = 3, "placed");
        drop(outer);
    });
    assert_eq!(lines, [format!(r#"{HEAD},"items":3,"step":"inner","found":2,"cart":"c-1"}}"#)]);
}

#[test]
fn a_field_named_like_a_member_of_the_line_gets_a_prefix() {
    let lines = lines("info", |_| {
        tracing::info!(target: "shop", level = 3, timestamp = "now", "placed");
    });
    assert_eq!(lines, [format!(r#"{HEAD},"field_level":3,"field_timestamp":"now"}}"#)]);
}

#[test]
fn lines_carry_ids_inside_a_request_only() {
    let lines = lines("info", |telemetry| {
        tracing::info!(target: "shop", "placed");
        let request = RequestContext::builder(telemetry).build();
        let _entered = request.enter();
        tracing::info!(target: "shop", "placed");
    });
    assert_eq!(lines[0], format!("{HEAD}}}"));
    let inside: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    for id in ["correlation_id", "trace_id", "span_id", "xray_trace_id"] {
        assert!(inside[id].is_string(), "{id}: {inside}");
    }
    assert_eq!(inside.get("tenant_id"), None);
}

#[test]
fn levels_and_targets_are_filtered() {
    let lines = lines("warn,shop=debug", |_| {
        tracing::info!(target: "hyper", "no");
        tracing::warn!(target: "hyper", "yes");
        tracing::debug!(target: "shop::cart", "yes");
        tracing::trace!(target: "shop::cart", "no");
    });
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.contains(r#""message":"yes""#)));
}

#[test]
fn two_telemetries_on_one_thread_do_not_mix() {
    let (first, first_lines) = telemetry("info");
    let (second, second_lines) = telemetry("error");
    let dispatch = dispatch(tracing_subscriber::registry().with(ObsLayer::alone()));
    tracing::dispatcher::with_default(&dispatch, || {
        first.enter_and(|| tracing::info!("for the first"));
        second.enter_and(|| tracing::info!("filtered"));
        second.enter_and(|| tracing::error!("for the second"));
        tracing::error!("for nobody");
    });
    assert!(first.flush(LONG) && second.flush(LONG));
    assert_eq!(first_lines.lines().len(), 1);
    assert_eq!(second_lines.lines().len(), 1);
}

#[test]
fn beside_another_layer_nothing_is_taken_from_it() {
    #[derive(Clone, Default)]
    struct Count(std::sync::Arc<std::sync::atomic::AtomicUsize>);
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Count {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let count = Count::default();
    let (telemetry, captured) = telemetry("error");
    let subscriber = tracing_subscriber::registry().with(count.clone()).with(ObsLayer::new());
    tracing::dispatcher::with_default(&dispatch(subscriber), || {
        let _entered = telemetry.enter();
        tracing::event!(Level::TRACE, "only for the other");
        tracing::error!("for both");
    });
    assert!(telemetry.flush(LONG));
    assert_eq!(captured.lines().len(), 1);
    assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[test]
fn a_noisy_call_site_is_limited_and_tells_how_much_it_left_out() {
    let manual = ManualClock::default();
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .clock(manual.clock())
        .output(output)
        .call_site_limit(2, 1)
        .build()
        .unwrap();
    let dispatch = dispatch(tracing_subscriber::registry().with(ObsLayer::alone()));
    tracing::dispatcher::with_default(&dispatch, || {
        let _entered = telemetry.enter();
        for round in 0..6 {
            if round == 5 {
                manual.advance(Duration::from_secs(1));
            }
            tracing::info!("noisy");
            tracing::info!(round, "another");
        }
    });
    assert!(telemetry.flush(LONG));
    let noisy: Vec<_> =
        captured.lines().into_iter().filter(|line| line.contains("noisy")).collect();
    assert_eq!(noisy.len(), 3);
    assert!(noisy[2].ends_with(r#","suppressed":3}"#), "{}", noisy[2]);
    let ledger = telemetry.output().ledger();
    assert_eq!(ledger.dropped_for(DropReason::RateLimited), 6);
    assert!(ledger.is_conserved());
}

#[test]
fn the_flight_recorder_writes_debug_lines_of_requests_that_failed_only() {
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .flight_recorder(Level::DEBUG, 4_096)
        .build()
        .unwrap();
    let dispatch = dispatch(tracing_subscriber::registry().with(ObsLayer::alone()));
    tracing::dispatcher::with_default(&dispatch, || {
        for failed in [false, true] {
            let request = RequestContext::builder(&telemetry).build();
            let _entered = request.enter();
            tracing::debug!(failed, "step");
            tracing::trace!("never");
            tracing::info!(failed, "always");
            request.flight_recorder().unwrap().settle(failed);
        }
        let _entered = telemetry.enter();
        tracing::debug!("outside of a request");
    });
    assert!(telemetry.flush(LONG));
    let steps: Vec<_> = captured.lines().into_iter().filter(|line| line.contains("step")).collect();
    assert_eq!(steps.len(), 1);
    assert!(steps[0].contains(r#""level":"DEBUG""#) && steps[0].contains(r#""failed":true"#));
    assert!(steps[0].contains("correlation_id"));
    assert_eq!(captured.lines().len(), 3);
    assert_eq!(telemetry.output().ledger().sampled_out, 1);
}

#[cfg(feature = "debug-on-demand")]
#[test]
fn a_signed_header_raises_the_level_of_one_request_and_leaves_a_trail() {
    use http::{HeaderMap, HeaderValue};
    use tracing::level_filters::LevelFilter;

    use crate::propagate::{TrustPolicy, field};
    use crate::telemetry::DebugKey;

    let clock = ManualClock::default().clock();
    let key = || DebugKey::new([7; 32]).unwrap();
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .clock(clock.clone())
        .output(output)
        .debug_key(key())
        .build()
        .unwrap();
    let expires = clock.wall().saturating_add(Duration::from_secs(60));
    let token = key().sign(LevelFilter::DEBUG, expires, "orders");
    let dispatch = dispatch(tracing_subscriber::registry().with(ObsLayer::alone()));
    tracing::dispatcher::with_default(&dispatch, || {
        for (policy, value) in [
            (TrustPolicy::internal(), token.clone()),
            (TrustPolicy::edge(), token.clone()),
            (TrustPolicy::internal(), token.replace("debug", "trace")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(&field::X_OBS_DEBUG, HeaderValue::from_str(&value).unwrap());
            let extracted = telemetry.propagators().extract(&headers, &policy);
            let request =
                RequestContext::builder(&telemetry).extracted(extracted, clock.now()).build();
            let _entered = request.enter();
            tracing::debug!("detail");
        }
    });
    assert!(telemetry.flush(LONG));
    let lines = captured.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("debug on demand granted") && lines[0].contains("correlation_id"));
    assert!(lines[1].contains(r#""message":"detail""#));
}

trait EnterAnd {
    fn enter_and(&self, work: impl FnOnce());
}

impl EnterAnd for Telemetry {
    fn enter_and(&self, work: impl FnOnce()) {
        let _entered = self.enter();
        work();
    }
}
