//! Messages from one service to another, over queues on SQLite.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::environment::Environment;
use obs_core::metric::{Counter, Descriptor, Gauge, GaugeCell, Histogram, Label, Recorder};
use obs_core::output::{Capture, Output};
use obs_core::telemetry::Telemetry;
use obs_core::trace::{MemoryExporter, SpanKind};
use serde_json::{Value, json};
use shop_contracts::Topology;
use shop_contracts::schema::Schemas;
use shop_domain::conformance::time::ManualTime;
use shop_domain::id::{OrderId, UserId};
use shop_domain::port::Outbox;
use shop_domain::port::messaging::{NewEvent, NewMessage, Queue, Receive, Stream};
use shop_kit::messaging::{Consumer, Job, Reader, Relay, addressed, consume, read, relay, watch};
use shop_kit::observe::about_order;
use shop_store::outbox::{self, SqliteOutbox};
use shop_store::{Broker, Database};
use tokio::sync::oneshot;

struct Service {
    telemetry: Telemetry,
    spans: MemoryExporter,
    lines: Capture,
}

fn service(name: &'static str) -> Service {
    let spans = MemoryExporter::default();
    let (output, lines) = Output::captured();
    let environment = Environment::from([("OTEL_TRACES_SAMPLER", "always_on")]);
    let builder = Telemetry::builder(name).environment(environment).output(output);
    let telemetry = builder.span_exporter(spans.clone()).build().unwrap();
    Service { telemetry, spans, lines }
}

impl Service {
    /// The lines of messages.
    fn messages(&self) -> Vec<Value> {
        self.telemetry.flush(Duration::from_secs(5));
        let lines = self.lines.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == "message processed").collect()
    }

    fn request(&self) -> RequestContext {
        RequestContext::builder(&self.telemetry).sampled(true).build()
    }
}

struct Shop {
    _folder: tempfile::TempDir,
    time: ManualTime,
    broker: Broker,
    database: Database,
}

fn shop() -> Shop {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let topology = Topology::embedded().unwrap();
    let path = folder.path().join("messaging.db");
    let broker = Broker::open(&path, topology, Arc::new(time.clone())).unwrap();
    let database = Database::open(&folder.path().join("s.db"), &[outbox::MIGRATION]).unwrap();
    Shop { _folder: folder, time, broker, database }
}

impl Shop {
    fn queue(&self, name: &str) -> Arc<dyn Queue> {
        Arc::new(self.broker.queue(name).unwrap())
    }
}

/// Completes when it is told to, or when who tells is gone.
fn stop() -> (oneshot::Sender<()>, impl Future<Output = ()>) {
    let (sender, receiver) = oneshot::channel();
    (sender, async { drop(receiver.await) })
}

/// Consumes until the handler has been called so often.
async fn consume_calls(
    shop: &Shop,
    service: &Service,
    queue: &str,
    calls: usize,
    handle: impl Fn(usize) -> Result<(), &'static str>,
) {
    let consumer = Consumer::new(shop.queue(queue), &service.telemetry).unwrap();
    let consumer = consumer.receive(Receive::now(10).wait(Duration::from_secs(20)));
    let (stopper, stop) = stop();
    let (stopper, seen) = (Mutex::new(Some(stopper)), Mutex::new(0));
    let failed = AtomicBool::new(false);
    let handler = |_| {
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        if *seen == calls {
            drop(stopper.lock().unwrap().take());
        }
        let result = handle(*seen);
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        async move { result }
    };
    let consumed = consume(consumer, stop, handler);
    // What failed becomes visible again, long before what is being worked on does.
    let time_passes = async {
        let mut steps = tokio::time::interval(Duration::from_millis(1));
        loop {
            steps.tick().await;
            if failed.load(Ordering::Relaxed) {
                shop.time.advance(Duration::from_millis(5));
            }
        }
    };
    let all = async {
        tokio::select! {
            () = consumed => {}
            () = time_passes => {}
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
}

#[tokio::test]
async fn one_message_continues_the_trace_and_a_redelivery_keeps_the_correlation_id() {
    let (shop, sender, receiver) = (shop(), service("sender"), service("receiver"));
    let request = sender.request();
    let message = request.scope(async { addressed(NewMessage::new("{}")) }).await;
    shop.queue("shopfast-loyalty-queue").send(&message).await.unwrap();
    let fail_once = |call| if call == 1 { Err("not yet") } else { Ok(()) };
    consume_calls(&shop, &receiver, "shopfast-loyalty-queue", 2, fail_once).await;
    let lines = receiver.messages();
    assert_eq!(lines.len(), 2);
    for (line, attempt) in lines.iter().zip(1..) {
        assert_eq!(line["correlation_id"], request.correlation_id().as_str());
        assert_eq!(line["trace_id"], request.trace_id().to_string());
        assert_eq!(line["attempt"], attempt);
    }
    for span in receiver.spans.spans() {
        assert_eq!((span.trace_id, span.kind), (request.trace_id(), SpanKind::Consumer));
        assert_eq!(span.parent_span_id, Some(request.span_id()));
    }
    let left = shop.queue("shopfast-loyalty-queue").depth().await.unwrap();
    assert_eq!(left.total(), 0, "what was done is deleted");
}

#[tokio::test]
async fn what_a_message_is_about_stands_on_all_spans_of_its_receiver_and_on_its_line() {
    let (shop, sender, receiver) = (shop(), service("sender"), service("receiver"));
    let (order, user) = (OrderId::parse("ord-1").unwrap(), UserId::parse("ada").unwrap());
    let work = async {
        about_order(&order, Some(&user));
        addressed(NewMessage::new("{}"))
    };
    let message = sender.request().scope(work).await;
    shop.queue("shopfast-loyalty-queue").send(&message).await.unwrap();
    let call = |_| {
        obs_core::span::CallSpan::database("sqlite", "INSERT", "ledger").finish();
        Ok(())
    };
    consume_calls(&shop, &receiver, "shopfast-loyalty-queue", 1, call).await;
    let [line] = &receiver.messages()[..] else { panic!("one message") };
    assert_eq!((&line["order_id"], &line["user_id"]), (&json!("ord-1"), &json!("ada")));
    let spans = receiver.spans.spans();
    assert_eq!(spans.len(), 2, "of the message, and of the call within");
    for span in spans {
        for (key, value) in [("order_id", "ord-1"), ("user_id", "ada")] {
            assert_eq!(span.annotations.get(key).unwrap().as_str(), Some(value), "{span:?}");
        }
    }
}

/// A recorder that tells the values of gauges, by metric and label.
#[derive(Clone, Debug, Default)]
struct Gauges(Arc<Mutex<BTreeMap<String, f64>>>);

#[derive(Debug)]
struct Cell(String, Gauges);

impl Recorder for Gauges {
    fn counter(&self, _: &Descriptor, _: &[Label<'_>]) -> Counter {
        Counter::disabled()
    }

    fn gauge(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Gauge {
        let name = format!("{} {}", metric.name, labels[0].1);
        Gauge::new(Arc::new(Cell(name, self.clone())))
    }

    fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram {
        Histogram::disabled()
    }
}

impl GaugeCell for Cell {
    fn set(&self, value: f64) {
        self.1.0.lock().unwrap().insert(self.0.clone(), value);
    }

    fn add(&self, _: f64) {}
}

#[tokio::test]
async fn how_old_and_how_many_the_messages_of_a_queue_are_is_told() {
    let (shop, gauges) = (shop(), Gauges::default());
    let environment = Environment::empty();
    let builder = Telemetry::builder("order").environment(environment);
    let telemetry = builder.metrics(Arc::new(gauges.clone())).build().unwrap();
    let queue = shop.queue("shopfast-order-queue");
    for body in ["a", "b", "c"] {
        queue.send(&NewMessage::new(body)).await.unwrap();
    }
    queue.receive(Receive::now(1)).await.unwrap();
    shop.time.advance(Duration::from_secs(7));
    let told = async {
        while gauges.0.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), watch(vec![queue], telemetry, told))
        .await
        .unwrap();
    let told = gauges.0.lock().unwrap().clone();
    let of = |metric: &str| told[&format!("{metric} shopfast-order-queue")];
    assert_eq!((of("QueueAge"), of("QueueDepth"), of("QueueInFlight")), (7_000.0, 2.0, 1.0));
}

#[tokio::test]
async fn messages_that_are_received_together_are_linked_and_fail_each_by_itself() {
    let (shop, sender, receiver) = (shop(), service("sender"), service("receiver"));
    let requests = [sender.request(), sender.request(), sender.request()];
    for request in &requests {
        let message = request.scope(async { addressed(NewMessage::new("{}")) }).await;
        shop.queue("shopfast-email-queue").send(&message).await.unwrap();
    }
    let second_fails = |call| if call == 2 { Err("no use") } else { Ok(()) };
    consume_calls(&shop, &receiver, "shopfast-email-queue", 3, second_fails).await;
    receiver.telemetry.flush(Duration::from_secs(5));
    let batch = receiver.spans.span("receive shopfast-email-queue");
    let linked: Vec<_> = batch.links.iter().map(|link| link.trace_id).collect();
    assert_eq!(linked, requests.each_ref().map(RequestContext::trace_id));
    assert_eq!(batch.parent_span_id, None);
    // Two are done; the one that failed is still there.
    let left = shop.queue("shopfast-email-queue").peek(10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].receive_count, 1);
}

#[tokio::test]
async fn after_a_failure_the_rest_of_a_group_waits_for_its_turn() {
    let (shop, receiver) = (shop(), service("receiver"));
    let queue = shop.queue("cloudcafe-payment-queue.fifo");
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        queue.send(&NewMessage::new(body).fifo(group, body)).await.unwrap();
    }
    // The three come as one batch: a1 fails, a2 must not overtake it, b1 is done.
    let first_fails = |call| if call == 1 { Err("down") } else { Ok(()) };
    consume_calls(&shop, &receiver, "cloudcafe-payment-queue.fifo", 2, first_fails).await;
    let left = queue.peek(10).await.unwrap();
    let bodies: Vec<_> = left.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(bodies, ["a1", "a2"]);
}

fn shipped(request: &RequestContext, carrier: &Value) -> NewEvent {
    let mut fields = obs_core::propagate::message::MessageFields::default();
    request.inject(&mut fields, &obs_core::propagate::TrustPolicy::message());
    let detail = json!({
        "event_id": "e-1", "schema_version": 1, "subject": "ord-1", "order_id": "ord-1",
        "user_id": "ada", "tracking_id": "t-1", "carrier": carrier,
    });
    let Value::Object(mut detail) = detail else { unreachable!() };
    obs_core::propagate::message::embedded::insert(&mut detail, &fields);
    NewEvent {
        source: "shopfast.order-service".to_owned(),
        detail_type: "order.shipped".to_owned(),
        time_ms: 1_767_225_600_000,
        detail,
        trace_header: fields.trace_header().map(str::to_owned),
    }
}

async fn relay_all(shop: &Shop, service: &Service, events: Vec<NewEvent>) {
    let (count, bell) = (events.len(), outbox::Bell::default());
    let write = move |db: &_| events.iter().try_for_each(|event| outbox::append(db, event));
    shop.database.write("test", write).await.unwrap();
    let outbox = SqliteOutbox::new(shop.database.clone(), bell, Arc::new(shop.time.clone()));
    let outbox = Arc::new(outbox);
    let part = Relay {
        outbox: outbox.clone(),
        bus: Arc::new(shop.broker.bus()),
        schemas: Arc::new(Schemas::embedded().unwrap()),
        refused: shop.queue("shopfast-event-dlq"),
        telemetry: service.telemetry.clone(),
    };
    let done = async {
        // Its reads queue behind the relay's own work on the same file.
        while outbox.backlog().await.unwrap().events > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(count > 0);
    tokio::time::timeout(Duration::from_secs(60), relay(part, done)).await.unwrap();
}

#[tokio::test]
async fn an_event_goes_from_the_outbox_over_the_bus_to_a_queue_in_one_trace() {
    let (shop, order, notification) = (shop(), service("order"), service("notification"));
    let request = order.request();
    relay_all(&shop, &order, vec![shipped(&request, &json!("post"))]).await;
    order.telemetry.flush(Duration::from_secs(5));
    let published = order.spans.span("shopfast-events publish");
    assert_eq!((published.trace_id, published.kind), (request.trace_id(), SpanKind::Producer));
    assert_eq!(published.parent_span_id, Some(request.span_id()));
    assert_eq!(published.annotations.get("order_id").unwrap().as_str(), Some("ord-1"));
    let delivered = order.spans.span("deliver topic:shopfast-order-events");
    assert_eq!(delivered.parent_span_id, Some(published.span_id));

    consume_calls(&shop, &notification, "shopfast-notification-queue", 1, |_| Ok(())).await;
    notification.telemetry.flush(Duration::from_secs(5));
    let processed = notification.spans.span("process shopfast-notification-queue");
    assert_eq!(processed.trace_id, request.trace_id());
    assert_eq!(processed.parent_span_id, Some(published.span_id));
    assert_eq!(notification.messages()[0]["correlation_id"], request.correlation_id().as_str());
}

#[tokio::test]
async fn an_event_that_breaks_its_schema_is_put_aside_and_holds_up_no_other() {
    let (shop, order) = (shop(), service("order"));
    let request = order.request();
    let events = vec![shipped(&request, &json!(7)), shipped(&request, &json!("post"))];
    relay_all(&shop, &order, events).await;
    let refused = shop.queue("shopfast-event-dlq").peek(10).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].attributes["reason"].contains("/carrier"), "{:?}", refused[0].attributes);
    assert_eq!(shop.queue("shopfast-order-queue").depth().await.unwrap().visible, 1);
}

#[tokio::test]
async fn records_of_a_stream_are_read_from_the_checkpoint_on_and_linked() {
    let (shop, order, analytics) = (shop(), service("order"), service("analytics"));
    let requests = [order.request(), order.request()];
    let events = requests.iter().map(|request| shipped(request, &json!("post"))).collect();
    relay_all(&shop, &order, events).await;
    let stream = shop.broker.stream("cloudcafe-analytics-stream").unwrap();
    let (stopper, stop) = stop();
    let (stopper, calls) = (Mutex::new(Some(stopper)), Mutex::new(0));
    let reader = Reader::new(Arc::new(stream.clone()), "analytics", &analytics.telemetry);
    let handle = |records: Vec<shop_domain::port::messaging::Record>| {
        // The first time it fails, and the same records come again.
        let first = std::mem::replace(&mut *calls.lock().unwrap(), 1) == 0;
        assert_eq!(records.len(), 2);
        async move { if first { Err("down") } else { Ok(()) } }
    };
    let done = async {
        while stream.lag("analytics").await.unwrap().records > 0 {
            tokio::task::yield_now().await;
        }
        drop(stopper.lock().unwrap().take());
        stop.await;
    };
    tokio::time::timeout(Duration::from_secs(60), read(reader, done, handle)).await.unwrap();
    analytics.telemetry.flush(Duration::from_secs(5));
    let span = analytics.spans.spans().pop().unwrap();
    assert_eq!(span.name.as_str(), "process cloudcafe-analytics-stream");
    let linked: Vec<_> = span.links.iter().map(|link| link.trace_id).collect();
    assert_eq!(linked, requests.each_ref().map(RequestContext::trace_id));
}

#[tokio::test]
async fn work_that_failed_says_so_in_its_span() {
    let service = service("order");
    let job =
        Job::caused_by(&service.telemetry, &std::collections::BTreeMap::<String, String>::new());
    job.end("state Ship", SpanKind::Client, Some("Service.Unavailable"));
    service.telemetry.flush(Duration::from_secs(5));
    let span = service.spans.span("state Ship");
    assert!(matches!(span.status, obs_core::trace::Status::Error(_)));
}
