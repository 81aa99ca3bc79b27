//! Messages and Lambda invocations: every way they end leaves one line, one metric update and one
//! span.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;
use obs_core::clock::Timestamp;
use obs_core::context::RequestContext;
use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::sqs;
use obs_core::resource::Resource;
use obs_core::trace::{AttributeValue, SpanKind};
use obs_tower::message::{MessageInfo, MessageObserver};

use crate::support::{Bench, Broken};

const TRACE: &str = "Root=1-6955b900-0e2c1a002aae913d2c0fc8dd;Parent=53995c3f42cd8ad8;Sampled=1";

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_message_continues_its_senders_trace_and_leaves_one_record() {
    let bench = Bench::new();
    let observer = MessageObserver::new(&bench.telemetry, "aws_sqs", "placed-orders").unwrap();
    let system = attributes(&[("AWSTraceHeader", TRACE)]);
    let own = attributes(&[("x-correlation-id", "corr-1"), ("x-tenant-id", "acme")]);
    let message = sqs::Message::new(&system, &own);
    let sent = Timestamp::from_unix_millis(bench.clock.clock().wall().unix_millis() - 1_500);
    let info = MessageInfo::new("m-1").attempt(2).sent(sent);
    let handled = observer.observe(&message, info, async {
        bench.clock.advance(Duration::from_millis(30));
        RequestContext::with_current(|context| {
            context.record("items", 3);
            context.annotate("order_id", "o-1");
            context.metadata("request", "lines", 3);
        });
        Ok::<_, Broken>("done")
    });
    assert_eq!(handled.await.unwrap(), "done");

    let lines = bench.lines();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!((&line["message"], &line["level"]), (&"message processed".into(), &"INFO".into()));
    assert_eq!((&line["source"], &line["message_id"]), (&"placed-orders".into(), &"m-1".into()));
    assert_eq!((&line["attempt"], &line["age_ms"]), (&2.into(), &1_500.0.into()));
    assert_eq!((&line["outcome"], &line["duration_ms"]), (&"success".into(), &30.0.into()));
    assert_eq!((&line["correlation_id"], &line["tenant_id"]), (&"corr-1".into(), &"acme".into()));
    assert_eq!(line["trace_id"], "6955b9000e2c1a002aae913d2c0fc8dd");
    assert_eq!(line["items"], 3);
    assert_eq!((&line["Messages"], &line["MessageFaults"]), (&1.into(), &0.into()));
    assert_eq!((&line["MessageAge"], &line["MessageLatency"]), (&1_500.into(), &30.into()));
    assert_eq!(line["Source"], "placed-orders");

    let span = bench.span();
    assert_eq!((span.name.as_str(), span.kind), ("process placed-orders", SpanKind::Consumer));
    assert_eq!(span.parent_span_id.unwrap().to_string(), "53995c3f42cd8ad8");
    assert_eq!(span.duration(), Duration::from_millis(30));
    let text = |value: Option<&AttributeValue>| value.and_then(|v| v.as_str().map(str::to_owned));
    assert_eq!(text(span.annotations.get("order_id")).as_deref(), Some("o-1"));
    let attempt = span.attributes.get("messaging.message.delivery_attempt");
    assert_eq!(text(attempt).as_deref(), Some("2"));
    assert_eq!((span.metadata[0].key.as_str(), span.metadata.len()), ("lines", 1));
}

/// A telemetry that knows where the service runs.
fn placed() -> Bench {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop";
    let resource = Resource::empty()
        .with("aws.ecs.cluster.arn", arn)
        .with("faas.name", "price")
        .with("host.name", "ip-10-0-0-7");
    Bench::with(|builder| builder.resource(resource))
}

const ENTITY: [(&str, &str); 3] =
    [("ECS.Cluster", "shop"), ("Lambda.Function", "price"), ("Host", "ip-10-0-0-7")];

#[tokio::test]
async fn the_line_of_a_message_names_what_the_service_runs_on() {
    for (bench, known) in [(placed(), true), (Bench::new(), false)] {
        let observer = MessageObserver::new(&bench.telemetry, "aws_sqs", "q").unwrap();
        let none = attributes(&[]);
        let handled = observer.observe(&none, MessageInfo::new("m"), async { Ok::<_, Broken>(()) });
        handled.await.unwrap();
        let line = &bench.lines()[0];
        for (member, name) in ENTITY {
            assert_eq!(line.get(member), known.then(|| name.into()).as_ref(), "{member}");
        }
        assert_eq!(line["Messages"], 1);
    }
}

#[tokio::test]
async fn a_message_that_fails_panics_or_is_given_up_is_told_apart() {
    for (exit, outcome, fault) in
        [(0, "service_error", 1), (1, "panic", 1), (2, "cancelled_before_headers", 0)]
    {
        let bench = Bench::new();
        let observer = MessageObserver::new(&bench.telemetry, "aws_sqs", "q").unwrap();
        let none = attributes(&[]);
        let mut handled = Box::pin(observer.observe(&none, MessageInfo::new("m"), async {
            match exit {
                0 => Err(Broken),
                1 => panic!("cannot"),
                _ => std::future::pending::<Result<(), Broken>>().await,
            }
        }));
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (&mut handled).now_or_never()
        }));
        assert_eq!(polled.is_err(), exit == 1, "a panic goes on");
        drop(handled);
        let lines = bench.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (&lines[0]["outcome"], &lines[0]["MessageFaults"]),
            (&outcome.into(), &fault.into())
        );
        assert_eq!(bench.span().status.is_error(), fault == 1);
    }
}

#[tokio::test]
async fn what_a_message_says_of_its_tenant_counts_only_where_it_is_trusted() {
    let own = attributes(&[("x-tenant-id", "acme")]);
    for (policy, tenant) in [(TrustPolicy::message(), Some("acme")), (TrustPolicy::edge(), None)] {
        let bench = Bench::new();
        let observer = MessageObserver::new(&bench.telemetry, "aws_sqs", "q").unwrap();
        let observer = observer.trust(policy);
        observer.observe(&own, MessageInfo::new("m"), async { Ok::<_, Broken>(()) }).await.unwrap();
        assert_eq!(bench.lines()[0]["tenant_id"].as_str(), tenant);
    }
}

#[tokio::test]
async fn a_batch_names_the_messages_that_failed_and_no_other() {
    let bench = Bench::new();
    let observer = MessageObserver::new(&bench.telemetry, "aws_sqs", "q").unwrap();
    let none = attributes(&[]);
    let batch = observer.batch();
    for id in ["a", "b", "c"] {
        let handled = batch.process(&none, MessageInfo::new(id), async {
            if id == "b" { Err(Broken) } else { Ok(id) }
        });
        assert_eq!(handled.await, (id != "b").then_some(id));
    }
    let given_up =
        batch.process(&none, MessageInfo::new("d"), std::future::pending::<Result<(), Broken>>());
    assert!(given_up.now_or_never().is_none());
    let expected = serde_json::json!({
        "batchItemFailures": [{ "itemIdentifier": "b" }, { "itemIdentifier": "d" }]
    });
    assert_eq!(batch.response(), expected);
    assert_eq!((bench.lines().len(), bench.spans().len()), (4, 4));
}

#[cfg(feature = "lambda")]
mod lambda {
    use std::sync::mpsc;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt, Full};
    use lambda_runtime::{Context, LambdaEvent};
    use obs_tower::lambda::{LambdaHttpLayer, LambdaLayer};
    use obs_tower::observe::ObserveLayer;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    fn event(bench: &Bench, left: Duration) -> LambdaEvent<u32> {
        let mut context = Context::default();
        context.request_id = "req-1".to_owned();
        context.invoked_function_arn = "arn:aws:lambda:eu-1:1:function:resize".to_owned();
        context.xray_trace_id = Some(TRACE.to_owned());
        context.deadline = bench.clock.clock().wall().saturating_add(left).unix_millis();
        LambdaEvent::new(7, context)
    }

    #[tokio::test]
    async fn an_invocation_has_its_deadline_and_its_trace_and_only_the_first_is_cold() {
        let bench = Bench::new();
        let layer = LambdaLayer::new(&bench.telemetry).unwrap();
        let service = layer.layer(service_fn(async |event: LambdaEvent<u32>| {
            bench.clock.advance(Duration::from_millis(40));
            let now = bench.clock.clock().now();
            let left = RequestContext::with_current(|c| c.deadline().unwrap().remaining(now));
            assert_eq!(left, Some(Duration::from_millis(2_960)));
            if event.payload == 7 { Ok("done") } else { Err(Broken) }
        }));
        for _ in 0..2 {
            let event = event(&bench, Duration::from_secs(3));
            assert_eq!(service.clone().oneshot(event).await.unwrap(), "done");
        }
        // Written before the answer: nothing here asks for a flush.
        let ledger = bench.telemetry.report();
        assert_eq!((ledger.lines.written, ledger.spans.exported), (2, 2));

        let lines = bench.lines();
        assert_eq!(
            (&lines[0]["cold_start"], &lines[1]["cold_start"]),
            (&true.into(), &false.into())
        );
        assert_eq!((&lines[0]["ColdStarts"], &lines[1]["ColdStarts"]), (&1.into(), &0.into()));
        let line = &lines[0];
        assert_eq!(
            (&line["message"], &line["outcome"]),
            (&"invocation completed".into(), &"success".into())
        );
        assert_eq!(
            (&line["function_request_id"], &line["remaining_ms"]),
            (&"req-1".into(), &3_000.0.into())
        );
        assert_eq!((&line["Invocations"], &line["InvocationLatency"]), (&1.into(), &40.into()));
        assert_eq!(line["trace_id"], "6955b9000e2c1a002aae913d2c0fc8dd");
    }

    #[tokio::test]
    async fn res_t8_the_time_between_two_invocations_makes_nothing_older() {
        let bench = Bench::new();
        let layer = LambdaLayer::new(&bench.telemetry).unwrap();
        let service = layer.layer(service_fn(async |_: LambdaEvent<u32>| {
            bench.clock.advance(Duration::from_secs(1));
            Ok::<_, Broken>(())
        }));
        let clock = bench.clock.clock();
        let started = clock.running(clock.now());
        for _ in 0..2 {
            bench.clock.advance(Duration::from_secs(3_600));
            service.clone().oneshot(event(&bench, Duration::from_secs(3))).await.unwrap();
        }
        // The hour before the first invocation is the application's own.
        assert_eq!(clock.running(clock.now()) - started, Duration::from_secs(3_602));
    }

    #[tokio::test]
    async fn the_line_of_an_invocation_names_what_the_function_runs_on() {
        for (bench, known) in [(super::placed(), true), (Bench::new(), false)] {
            let layer = LambdaLayer::new(&bench.telemetry).unwrap();
            let service = layer.layer(service_fn(async |_: LambdaEvent<u32>| Ok::<_, Broken>(())));
            service.oneshot(event(&bench, Duration::from_secs(3))).await.unwrap();
            let line = &bench.lines()[0];
            for (member, name) in super::ENTITY {
                assert_eq!(line.get(member), known.then(|| name.into()).as_ref(), "{member}");
            }
            assert_eq!(line["Invocations"], 1);
        }
    }

    #[tokio::test]
    async fn an_invocation_that_fails_is_a_fault() {
        let bench = Bench::new();
        let layer = LambdaLayer::new(&bench.telemetry).unwrap();
        let service = layer.layer(service_fn(async |_: LambdaEvent<u32>| Err::<(), _>(Broken)));
        service.oneshot(event(&bench, Duration::from_secs(3))).await.unwrap_err();
        let line = &bench.lines()[0];
        assert_eq!(
            (&line["outcome"], &line["InvocationFaults"]),
            (&"service_error".into(), &1.into())
        );
    }

    /// The time that flushes may take, as a hook of the telemetry is told.
    fn flushes(bench: &Bench) -> mpsc::Receiver<Duration> {
        let (sender, receiver) = mpsc::channel();
        bench.telemetry.on_flush(move |limit| sender.send(limit).is_ok());
        receiver
    }

    fn next(flushes: &mpsc::Receiver<Duration>) -> Duration {
        flushes.recv_timeout(Duration::from_secs(60)).expect("the answer waits for a flush")
    }

    /// The limit that is set, the time that is left, and the longest flush.
    const LIMITS: [(Option<u64>, u64, u64); 4] = [
        (None, 60_000, 1_000),
        (Some(250), 60_000, 250),
        (Some(250), 100, 100),
        // An emulator that gives no true deadline.
        (Some(250), 0, 250),
    ];

    #[tokio::test]
    async fn a_flush_takes_no_longer_than_its_limit_and_the_time_that_is_left() {
        for (limit, left, longest) in LIMITS {
            let bench = Bench::new();
            let flushes = flushes(&bench);
            let mut layer = LambdaLayer::new(&bench.telemetry).unwrap();
            if let Some(limit) = limit {
                layer = layer.flush_limit(Duration::from_millis(limit));
            }
            let service = layer.layer(service_fn(async |_: LambdaEvent<u32>| Ok::<_, Broken>(())));
            service.oneshot(event(&bench, Duration::from_millis(left))).await.unwrap();
            let flush = next(&flushes);
            assert!(flush <= Duration::from_millis(longest), "{flush:?}");
        }
    }

    #[tokio::test]
    async fn an_invocation_that_panics_is_flushed_before_the_panic_goes_on() {
        let bench = Bench::new();
        let minute = Duration::from_secs(60);
        let layer = LambdaLayer::new(&bench.telemetry).unwrap().flush_limit(minute);
        let service = layer.layer(service_fn(async |event: LambdaEvent<u32>| {
            assert_eq!(event.payload, 0, "no such payload");
            Ok::<_, Broken>(())
        }));
        let call = service.oneshot(event(&bench, minute));
        assert!(std::panic::AssertUnwindSafe(call).catch_unwind().await.is_err());
        assert_eq!(bench.telemetry.report().lines.written, 1);
        assert_eq!(bench.lines()[0]["outcome"], "panic");
    }

    #[tokio::test]
    async fn an_http_function_flushes_at_the_end_of_its_answer_within_its_limits() {
        for (limit, left, longest) in LIMITS {
            let bench = Bench::new();
            let flushes = flushes(&bench);
            let mut lambda = LambdaHttpLayer::new(bench.telemetry.clone());
            if let Some(limit) = limit {
                lambda = lambda.flush_limit(Duration::from_millis(limit));
            }
            let observe = ObserveLayer::new(bench.telemetry.clone());
            let handler = lambda.layer(service_fn(async |_: Request<()>| {
                let deadline = obs_core::deadline::Deadline::current();
                let body = if deadline.is_some() { "limited" } else { "unlimited" };
                Ok::<_, Broken>(Response::new(Full::new(Bytes::from(body))))
            }));
            let service = lambda.flushing(observe.layer(handler));

            let elsewhere = Request::get("/").body(()).unwrap();
            let response = service.clone().oneshot(elsewhere).await.unwrap();
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "unlimited");
            assert!(flushes.try_recv().is_err(), "this request did not come by Lambda");

            let context = event(&bench, Duration::from_millis(left)).context;
            let request = Request::get("/").extension(context).body(()).unwrap();
            let response = service.oneshot(request).await.unwrap();
            assert!(flushes.try_recv().is_err(), "the answer is still to come");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, if left == 0 { "unlimited" } else { "limited" });
            let flush = next(&flushes);
            assert!(flush <= Duration::from_millis(longest), "{flush:?}");
            let line = &bench.request_lines()[1];
            assert_eq!(
                (&line["cold_start"], &line["function_request_id"]),
                (&true.into(), &"req-1".into())
            );
        }
    }
}
