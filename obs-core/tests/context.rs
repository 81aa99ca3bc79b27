//! The request context follows its request, on any executor, and nothing else.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{join, join_all};
use futures_util::{Stream, StreamExt};
use obs_core::clock::{Clock, ManualClock};
use obs_core::context::{
    self, Captured, InCurrentContext, RequestContext, current_span_id, enter_span,
};
use obs_core::environment::Environment;
use obs_core::id::{IdGenerator, SpanId};
use obs_core::metric::{Descriptor, Unit};
use obs_core::output::Output;
use obs_core::propagate::{Propagators, TrustPolicy};
use obs_core::telemetry::Telemetry;

fn telemetry_of(name: &str, clock: Clock) -> Telemetry {
    let (output, _captured) = Output::captured();
    Telemetry::builder(name)
        .environment(Environment::empty())
        .clock(clock)
        .ids(IdGenerator::seeded(1))
        .output(output)
        .build()
        .expect("the settings are valid")
}

fn telemetry() -> Telemetry {
    telemetry_of("orders", ManualClock::default().clock())
}

fn request() -> RequestContext {
    RequestContext::builder(&telemetry()).build()
}

/// The correlation id of the current request, as text.
fn current() -> Option<String> {
    RequestContext::with_current(|request| request.correlation_id().to_string())
}

fn id_of(request: &RequestContext) -> Option<String> {
    Some(request.correlation_id().to_string())
}

/// Gives way once, to be polled again.
async fn give_way() {
    let mut waited = false;
    poll_fn(|task| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The smallest executor there is: polls until the future has ended.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut task = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return output;
        }
    }
}

#[test]
fn a_context_is_current_in_each_poll_and_at_no_other_time() {
    let request = request();
    let mut future = pin!(request.scope(async {
        let before = current();
        give_way().await;
        (before, current())
    }));
    let mut task = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut task).is_pending());
    assert_eq!(current(), None, "between polls");
    let Poll::Ready(seen) = future.as_mut().poll(&mut task) else { panic!("must have ended") };
    assert_eq!(seen, (id_of(&request), id_of(&request)));
    assert_eq!(current(), None, "afterwards");
}

#[test]
fn interleaved_requests_never_see_each_other() {
    let requests = [request(), request()];
    // Both generators have the same seed; the contexts differ nevertheless in what they record.
    let check = |request: RequestContext, name: &'static str| {
        let scoped = request.clone();
        scoped.scope(async move {
            for _ in 0..10 {
                RequestContext::with_current(|current| current.set_user_id(name));
                give_way().await;
                let user = RequestContext::with_current(|r| r.user_id().map(str::to_owned));
                assert_eq!(user.flatten().as_deref(), Some(name));
            }
        })
    };
    run(join(check(requests[0].clone(), "ann"), check(requests[1].clone(), "bob")));
}

#[test]
fn an_inner_context_gives_way_to_the_outer_one() {
    let (outer, inner) = (
        request(),
        RequestContext::builder(&telemetry_of("cart", ManualClock::default().clock())).build(),
    );
    let service = || Telemetry::current().map(|telemetry| telemetry.service_name().to_owned());
    run(outer.scope(async {
        assert_eq!(service().as_deref(), Some("orders"));
        inner.scope(async { assert_eq!(service().as_deref(), Some("cart")) }).await;
        assert_eq!(service().as_deref(), Some("orders"));
        {
            let _guard = inner.enter();
            assert_eq!(service().as_deref(), Some("cart"));
        }
        assert_eq!(service().as_deref(), Some("orders"));
    }));
    assert_eq!(service(), None);
}

#[test]
fn a_telemetry_can_be_current_without_a_request() {
    let telemetry = telemetry();
    run(telemetry.scope(async {
        assert!(Telemetry::current().is_some());
        assert_eq!(current(), None);
        assert_eq!(current_span_id(), None);
    }));
    let _guard = telemetry.enter();
    assert!(Telemetry::current().is_some());
}

struct TellsOnDrop(std::sync::mpsc::Sender<Option<String>>);

impl Drop for TellsOnDrop {
    fn drop(&mut self) {
        self.0.send(current()).expect("the test still listens");
    }
}

#[test]
fn what_a_cancelled_request_drops_is_dropped_in_its_context() {
    let request = request();
    let (sender, dropped) = std::sync::mpsc::channel();
    let held = TellsOnDrop(sender);
    let mut future = Box::pin(request.scope(async move {
        let _held = held;
        std::future::pending::<()>().await;
    }));
    let mut task = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut task).is_pending());
    drop(future);
    assert_eq!(dropped.recv().unwrap(), id_of(&request));
    assert_eq!(current(), None);
}

#[test]
fn a_future_that_was_never_polled_is_dropped_in_its_context() {
    let request = request();
    let (sender, dropped) = std::sync::mpsc::channel();
    let held = TellsOnDrop(sender);
    drop(request.scope(async move { drop(held) }));
    assert_eq!(dropped.recv().unwrap(), id_of(&request));
}

#[test]
fn a_panic_in_a_poll_leaves_no_context_behind() {
    let request = request();
    let panicking =
        std::panic::AssertUnwindSafe(|| run(request.scope(async { panic!("in poll") })));
    std::panic::catch_unwind(panicking).unwrap_err();
    assert_eq!(current(), None);
}

#[test]
fn a_stream_runs_in_its_context_wherever_it_is_polled() {
    let request = request();
    let stream = {
        let _guard = request.enter();
        futures_util::stream::repeat_with(current).take(2).in_current_context()
    };
    assert_eq!(stream.size_hint(), (2, Some(2)));
    let items: Vec<_> = run(stream.collect());
    assert_eq!(items, vec![id_of(&request); 2]);
}

#[test]
fn closures_and_threads_take_it_along_and_plain_threads_do_not() {
    let request = request();
    let guard = request.enter();
    let wrapped = std::thread::spawn(context::wrap(current));
    let captured = Captured::current();
    let carried = std::thread::spawn(move || captured.run(current));
    let plain = std::thread::spawn(current);
    assert_eq!(wrapped.join().unwrap(), id_of(&request));
    assert_eq!(carried.join().unwrap(), id_of(&request));
    assert_eq!(plain.join().unwrap(), None);
    drop(guard);
    assert_eq!(current(), None);
}

#[test]
fn a_context_entered_inside_a_callback_of_the_current_one_does_not_panic() {
    let request = request();
    let _guard = request.enter();
    RequestContext::with_current(|current| {
        let _inner = current.enter();
        assert!(RequestContext::current().is_some());
    });
}

#[test]
fn the_entered_span_is_what_lines_and_calls_name() {
    let request = request();
    let child = SpanId::new(7).unwrap();
    let _request = request.enter();
    assert_eq!(current_span_id(), Some(request.span_id()));
    {
        let _span = enter_span(child);
        assert_eq!(current_span_id(), Some(child));
        assert_eq!(request.ids().span_id, Some(child));
        assert_eq!(request.with_outgoing(|outgoing| outgoing.span_id), child);
        let elsewhere = std::thread::spawn(context::wrap(current_span_id)).join().unwrap();
        assert_eq!(elsewhere, Some(child), "helpers take the span along");
    }
    assert_eq!(request.ids().span_id, Some(request.span_id()));
}

#[test]
fn the_span_of_one_request_is_not_taken_for_another_s() {
    let (current, other) = (request(), request());
    let _request = current.enter();
    let _span = enter_span(SpanId::new(7).unwrap());
    assert_eq!(other.current_span_id(), other.span_id());
}

#[test]
fn what_the_headers_told_is_in_the_context_and_in_further_calls() {
    let manual = ManualClock::default();
    let telemetry = telemetry_of("orders", manual.clock());
    let headers = vec![
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
        ("tracestate", "congo=1"),
        ("baggage", "plan=gold"),
        ("x-correlation-id", "order-1"),
        ("x-tenant-id", "acme"),
        ("x-request-timeout", "1500"),
        ("x-request-attempt", "2"),
    ];
    let policy = TrustPolicy::internal();
    let extracted = Propagators::default().extract(&headers, &policy);
    let mut builder =
        RequestContext::builder(&telemetry).extracted(extracted, manual.clock().now());
    assert_eq!(builder.parent_sampled(), Some(true));
    assert_eq!(builder.trace_id().to_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let request = builder.sampled(true).build();
    assert_eq!(request.attempt(), Some(2));
    assert_eq!(request.parent_span_id().unwrap().to_hex(), "00f067aa0ba902b7");

    manual.advance(Duration::from_millis(500));
    assert!(request.set_user_id("u-1"));
    assert!(request.set_baggage("region", "eu"));
    let mut outgoing: Vec<(String, String)> = Vec::new();
    request.inject(&mut outgoing, &policy);
    let get =
        |name: &str| outgoing.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let span = request.span_id();
    assert_eq!(
        get("traceparent"),
        Some(&*format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-03"))
    );
    assert_eq!(
        get("x-amzn-trace-id"),
        Some(&*format!("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent={span};Sampled=1"))
    );
    assert_eq!(get("tracestate"), Some("congo=1"));
    assert_eq!(get("baggage"), Some("plan=gold,region=eu"));
    assert_eq!(get("x-correlation-id"), Some("order-1"));
    assert_eq!(get("x-tenant-id"), Some("acme"));
    assert_eq!(get("x-user-id"), Some("u-1"));
    assert_eq!(get("x-request-timeout"), Some("1000"), "what is left of it");
    assert_eq!(get("x-request-attempt"), None, "an attempt belongs to one hop");
}

#[test]
fn a_new_request_makes_its_own_ids_and_says_that_they_are_random() {
    let request = request();
    assert_eq!(request.parent_span_id(), None);
    assert_eq!(request.trace_id().epoch_seconds(), 1_767_225_600);
    assert!(request.with_outgoing(|outgoing| outgoing.random));
    assert_eq!(request.correlation_id().as_str().len(), 36);
    assert_eq!(request.deadline(), None);
}

#[test]
fn tenant_and_user_are_set_once_and_only_if_they_are_well_formed() {
    let request = request();
    for bad in ["", "a b", "a\r\nb", "é", "<x>", &"a".repeat(129)] {
        assert!(!request.set_tenant_id(bad), "{bad:?}");
    }
    assert_eq!(request.tenant_id(), None);
    assert!(request.set_tenant_id("acme"));
    assert!(!request.set_tenant_id("other"));
    assert_eq!(request.tenant_id(), Some("acme"));
}

#[test]
fn what_handlers_record_is_taken_once() {
    static ITEMS: Descriptor = Descriptor::new("Items", Unit::Count, "Items ordered");
    let request = request();
    request.record("order_id", "o-1");
    request.record("items", 2);
    request.record("items", 3);
    request.metric(&ITEMS, 3.0);
    request.metric(&ITEMS, f64::NAN);
    request.error("out_of_stock");
    request.annotate("order_id", "o-1");
    let recorded = request.take_recorded().unwrap();
    assert_eq!(recorded.fields.as_json(), br#","order_id":"o-1","items":3"#);
    assert_eq!(recorded.metrics.as_slice(), [(&ITEMS, 3.0)]);
    assert_eq!(recorded.error_kind.as_deref(), Some("out_of_stock"));
    assert_eq!(recorded.annotations.len(), 1);
    assert!(request.take_recorded().is_none());
}

#[test]
fn the_earlier_of_two_deadlines_counts() {
    use obs_core::deadline::Deadline;
    let telemetry = telemetry();
    let now = telemetry.clock().now();
    let (early, late) = (
        Deadline::after(now, Duration::from_secs(1)),
        Deadline::after(now, Duration::from_secs(2)),
    );
    for order in [[early, late], [late, early]] {
        let builder = RequestContext::builder(&telemetry).deadline(order[0]).deadline(order[1]);
        assert_eq!(builder.build().deadline(), Some(early));
    }
}

/// `select!` and `FuturesUnordered` poll inside the request's own future.
#[test]
fn futures_raced_inside_a_request_stay_inside_it() {
    let request = request();
    let seen = run(request.scope(async {
        let racing = (0..3).map(|_| async {
            give_way().await;
            current()
        });
        join_all(racing).await
    }));
    assert_eq!(seen, vec![id_of(&request); 3]);
}

/// A hand-written future may wrap a scoped one without a box.
#[test]
fn a_scoped_future_needs_no_box() {
    fn size<T>(_: &T) -> usize {
        std::mem::size_of::<T>()
    }
    let request = request();
    let scoped = request.scope(std::future::ready(1_u8));
    assert!(size(&scoped) <= size(&std::future::ready(1_u8)) + size(&Captured::current()) + 16);
    let pinned: Pin<&mut _> = pin!(scoped);
    assert_eq!(run(pinned), 1);
}
