use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tracing::{debug_span, error, info, info_span, instrument};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

use crate::context::{InCurrentContext as _, wrap};
use crate::environment::Environment;
use crate::output::Output;
use crate::telemetry::Telemetry;
use crate::trace::MemoryExporter;

use super::fields::bounded;
use super::*;
use crate::context::RequestContext;
use crate::trace::{AttributeValue, Status};

struct Request {
    memory: MemoryExporter,
    context: RequestContext,
}

impl Request {
    fn new(sampled: bool) -> Self {
        let memory = MemoryExporter::default();
        let telemetry = Telemetry::builder("orders")
            .environment(Environment::empty())
            .output(Output::captured().0)
            .span_exporter(memory.clone())
            .build()
            .unwrap();
        Self { memory, context: RequestContext::builder(&telemetry).sampled(sampled).build() }
    }

    /// Runs `work` in the request, with the layer installed.
    fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&dispatch(), || {
            let _entered = self.context.enter();
            work()
        })
    }

    fn spans(&self) -> Vec<SpanRecord> {
        assert!(self.context.telemetry().tracer().flush(Duration::from_secs(30)));
        self.memory.spans()
    }

    fn span(&self, name: &str) -> SpanRecord {
        assert!(self.context.telemetry().tracer().flush(Duration::from_secs(30)));
        self.memory.span(name)
    }
}

fn dispatch() -> tracing::Dispatch {
    crate::subscriber::tests::dispatch(registry().with(ChildSpanLayer))
}

fn text<'a>(span: &'a SpanRecord, key: &str) -> Option<&'a str> {
    span.attributes.get(key)?.as_str()
}

/// Is pending once, so that the caller can do something in between.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[instrument(skip(secret), fields(order.id = 7_u64))]
async fn reserve(product: &str, secret: &str) {
    yield_once().await;
    info!(left = 3, "reserved {}", secret.len());
    charge(12).await.unwrap_err();
}

#[instrument(err)]
async fn charge(amount: u32) -> Result<(), std::num::ParseIntError> {
    yield_once().await;
    "no".parse::<u32>().map(|_| ())
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let polled = future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return output;
        }
    }
}

#[test]
fn instrumented_functions_are_children_of_the_request_across_awaits() {
    let request = Request::new(true);
    request.run(|| block_on(reserve("prod-001", "card")));
    let (outer, inner) = (request.span("reserve"), request.span("charge"));
    assert_eq!(outer.parent_span_id, Some(request.context.span_id()));
    assert_eq!(inner.parent_span_id, Some(outer.span_id));
    assert_eq!(inner.trace_id, request.context.trace_id());
    assert_eq!(text(&outer, "product"), Some("prod-001"));
    assert_eq!(outer.attributes.get("order.id"), Some(&AttributeValue::Int(7)));
    assert!(outer.attributes.get("secret").is_none());
    assert_eq!(outer.events[0].name, "reserved 4");
    assert_eq!(outer.events[0].attributes.get("left"), Some(&AttributeValue::Int(3)));
    assert_eq!(outer.status, Status::Unset);
    assert_eq!(inner.status, Status::error("invalid digit found in string"));
    assert_eq!(inner.events[0].name, "exception");
}

#[test]
fn two_requests_interleaved_on_one_thread_keep_their_own_children() {
    let (a, b) = (Request::new(true), Request::new(true));
    tracing::dispatcher::with_default(&dispatch(), || {
        let mut first = pin!(reserve("a", ""));
        let mut second = pin!(reserve("b", ""));
        let mut open = [true, true];
        while open.contains(&true) {
            let cx = &mut TaskContext::from_waker(Waker::noop());
            if open[0] {
                let _entered = a.context.enter();
                open[0] = first.as_mut().poll(cx).is_pending();
            }
            if open[1] {
                let _entered = b.context.enter();
                open[1] = second.as_mut().poll(cx).is_pending();
            }
        }
        assert_eq!(current_span_id(), None);
    });
    for (request, product) in [(&a, "a"), (&b, "b")] {
        let (outer, inner) = (request.span("reserve"), request.span("charge"));
        assert_eq!(text(&outer, "product"), Some(product));
        assert_eq!(outer.parent_span_id, Some(request.context.span_id()));
        assert_eq!(inner.parent_span_id, Some(outer.span_id));
    }
}

#[test]
fn the_current_span_id_follows_the_entered_span_in_any_order_of_leaving() {
    let request = Request::new(true);
    let own = request.context.span_id();
    let current = || request.context.current_span_id();
    request.run(|| {
        assert_eq!(current(), own);
        let (first, second) = (info_span!("first"), info_span!("second"));
        let in_first = first.enter();
        let first_id = current();
        let in_second = second.enter();
        let second_id = current();
        drop(in_first);
        assert_eq!(current(), second_id);
        drop(in_second);
        assert_eq!(current(), own);
        drop((first, second));
        assert_eq!(request.span("first").span_id, first_id);
        assert_eq!(request.span("second").span_id, second_id);
    });
}

#[test]
fn lines_and_outgoing_calls_within_a_child_carry_its_id() {
    let request = Request::new(true);
    let mut carrier = http::HeaderMap::new();
    request.run(|| {
        info_span!("child").in_scope(|| {
            request.context.inject(&mut carrier, &crate::propagate::TrustPolicy::internal());
            assert_eq!(request.context.ids().span_id, Some(request.context.current_span_id()));
        });
    });
    let sent = carrier["traceparent"].to_str().unwrap().to_owned();
    let child = request.span("child").span_id.to_string();
    assert_eq!(sent.split('-').nth(2), Some(child.as_str()));
}

#[test]
fn an_unsampled_request_builds_no_span_and_neither_does_work_outside_a_request() {
    let request = Request::new(false);
    request.run(|| block_on(reserve("a", "")));
    tracing::dispatcher::with_default(&dispatch(), || {
        block_on(reserve("a", ""));
    });
    assert!(request.spans().is_empty());
}

#[test]
fn work_taken_along_by_the_helpers_has_the_same_parent_and_other_work_has_none() {
    let request = Request::new(true);
    request.run(|| {
        let outer = info_span!("outer");
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let in_outer = outer.enter();
        let wrapped = wrap(|| debug_span!("wrapped").in_scope(|| ()));
        let future = async { debug_span!("future").in_scope(|| ()) }.in_current_context();
        drop(in_outer);
        std::thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                wrapped();
                block_on(future);
                debug_span!(parent: &outer, "by name").in_scope(|| ());
                debug_span!("alone").in_scope(|| ());
                outer.in_scope(|| debug_span!("in a span without its request").in_scope(|| ()));
            });
        })
        .join()
        .unwrap();
    });
    let outer = request.span("outer");
    for name in ["wrapped", "future", "by name"] {
        assert_eq!(request.span(name).parent_span_id, Some(outer.span_id), "{name}");
    }
    assert_eq!(request.spans().len(), 4, "the others are absent");
}

#[test]
fn a_span_entered_in_another_request_is_not_that_requests_span() {
    let (first, second) = (Request::new(true), Request::new(true));
    first.run(|| {
        let span = info_span!("of the first");
        let _other = second.context.enter();
        span.in_scope(|| assert_eq!(second.context.current_span_id(), second.context.span_id()));
    });
}

#[test]
fn reserved_fields_set_what_they_say() {
    let request = Request::new(true);
    request.run(|| {
        let span = info_span!(
            "call",
            otel.name = "GET cache",
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            annotation.tenant = "acme",
            metadata.cart.lines = 3,
            late = tracing::field::Empty,
        );
        span.record("late", true);
        span.record("otel.status_code", "ERROR");
    });
    let span = request.span("GET cache");
    assert_eq!(span.kind, SpanKind::Client);
    assert_eq!(span.status, Status::error(""));
    assert_eq!(span.annotations.get("tenant").unwrap().as_str(), Some("acme"));
    assert_eq!((&*span.metadata[0].namespace, &*span.metadata[0].key), ("cart", "lines"));
    assert_eq!(span.attributes.get("late"), Some(&AttributeValue::Bool(true)));
    assert_eq!(span.attributes.len(), 1);
}

#[test]
fn events_are_bounded_and_an_error_is_seen_beyond_the_bound() {
    let request = Request::new(true);
    request.run(|| {
        info_span!("busy").in_scope(|| {
            for i in 0..130 {
                info!(i);
            }
            error!("gave up");
        });
    });
    let span = request.span("busy");
    assert_eq!((span.events.len(), span.dropped_events), (128, 3));
    assert_eq!(span.status, Status::error("gave up"));
}

#[test]
fn a_value_that_writes_an_event_while_it_is_formatted_does_not_deadlock() {
    struct Chatty;
    impl fmt::Debug for Chatty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("being looked at");
            f.write_str("chatty")
        }
    }
    let request = Request::new(true);
    request.run(|| {
        let span = info_span!("outer", value = tracing::field::Empty);
        let _entered = span.enter();
        span.record("value", tracing::field::debug(Chatty));
        info!(value = ?Chatty, "done");
    });
    let span = request.span("outer");
    assert_eq!(text(&span, "value"), Some("chatty"));
    // `tracing` itself keeps an event from being written within an event.
    assert_eq!(span.events.len(), 2);
}

#[test]
fn a_long_value_is_cut_at_a_character() {
    let long = bounded(format_args!("{}{}", "x", "é".repeat(3000)));
    assert_eq!(long.len(), 4095);
    assert!(long.ends_with('é'));
}
