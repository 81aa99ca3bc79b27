use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::parent::Parent;
use crate::context::{SpanGuard, enter_span};
use crate::id::SpanId;
use crate::trace::{AttributeValue, SpanKind, SpanRecord, Status, Text, Tracer};

/// A span around a call that is not HTTP: to Redis, a database, an AWS service, or around a piece
/// of work worth seeing.
///
/// It is a child of the current span. Where there is none, or its trace is not sampled, nothing is
/// built and every method is a no-op. A call whose future is dropped ends as an error of type
/// `cancelled`, never as a success.
///
/// ```
/// use obs_core::span::CallSpan;
///
/// # async fn example() -> Result<(), std::io::Error> {
/// # async fn get(key: &str) -> Result<String, std::io::Error> { Ok(key.to_owned()) }
/// let cached = CallSpan::redis("GET").attribute("server.address", "cache").observe(get("k")).await?;
/// # drop(cached); Ok(()) }
/// ```
#[must_use = "the span ends when it is dropped"]
pub struct CallSpan(Option<Box<Open>>);

struct Open {
    span: SpanRecord,
    tracer: Tracer,
}

impl CallSpan {
    /// Begins a span of `kind`.
    pub fn start(name: impl Into<Text>, kind: SpanKind) -> Self {
        Self(Parent::current().map(|parent| open(name.into(), kind, parent)))
    }

    /// Begins a span around a Redis `command`, such as `GET`.
    pub fn redis(command: &'static str) -> Self {
        Self::start(command, SpanKind::Client)
            .attribute("db.system.name", "redis")
            .attribute("db.operation.name", command)
    }

    /// Begins a span around a database operation, such as `SELECT` on the table `orders` of a
    /// `postgresql`.
    ///
    /// `system` is one of OpenTelemetry's
    /// [names](https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/#db-system-name).
    /// Add the statement as `db.query.text` only with its parameters left out.
    pub fn database(system: &'static str, operation: &'static str, table: &'static str) -> Self {
        if !Parent::is_recording() {
            return Self(None);
        }
        Self::start(format!("{operation} {table}"), SpanKind::Client)
            .attribute("db.system.name", system)
            .attribute("db.operation.name", operation)
            .attribute("db.collection.name", table)
    }

    /// Begins a span around a call of an AWS SDK, such as `PutItem` of `DynamoDB`.
    pub fn aws(service: &'static str, operation: &'static str) -> Self {
        if !Parent::is_recording() {
            return Self(None);
        }
        Self::start(format!("{service}.{operation}"), SpanKind::Client)
            .attribute("rpc.system", "aws-api")
            .attribute("rpc.service", service)
            .attribute("rpc.method", operation)
    }

    /// Whether a span is recorded; use it to save the work for an attribute's value.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.0.is_some()
    }

    /// Sets an attribute.
    pub fn attribute(mut self, key: impl Into<Text>, value: impl Into<AttributeValue>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets an attribute that is known only later.
    ///
    /// ```
    /// use obs_core::span::CallSpan;
    /// use obs_core::trace::SpanKind;
    ///
    /// let mut span = CallSpan::database("postgresql", "SELECT", "orders");
    /// // Outside of a sampled request it records nothing, at the cost of a look.
    /// assert!(!span.is_recording() && span.span_id().is_none());
    /// span.set("db.response.returned_rows", 3);
    /// span.annotate("tenant", "acme");
    /// span.metadata("debug", "plan", "index scan");
    /// {
    ///     let _entered = span.enter();
    /// }
    /// span.fail("connection reset");
    /// span.finish();
    ///
    /// CallSpan::start("resize", SpanKind::Internal).finish();
    /// CallSpan::aws("S3", "GetObject").finish();
    /// ```
    pub fn set(&mut self, key: impl Into<Text>, value: impl Into<AttributeValue>) {
        if let Some(open) = &mut self.0 {
            open.span.attributes.set(key, value);
        }
    }

    /// Sets an annotation; see [`SpanRecord::annotate`].
    pub fn annotate(&mut self, key: impl Into<Text>, value: impl Into<AttributeValue>) {
        if let Some(open) = &mut self.0 {
            open.span.annotate(key, value);
        }
    }

    /// Sets a piece of metadata; see [`SpanRecord::metadata`].
    pub fn metadata(
        &mut self,
        namespace: impl Into<Text>,
        key: impl Into<Text>,
        value: impl Into<AttributeValue>,
    ) {
        if let Some(open) = &mut self.0 {
            open.span.metadata(namespace, key, value);
        }
    }

    /// Marks the call as failed because of `error`.
    pub fn fail(&mut self, error: impl fmt::Display) {
        if let Some(open) = &mut self.0 {
            open.span.status = Status::error(error.to_string());
        }
    }

    /// The span's id; `None` if nothing is recorded.
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        self.0.as_ref().map(|open| open.span.span_id)
    }

    /// Makes this the current span of the thread until the guard is dropped: new spans become its
    /// children, lines and outgoing calls carry its id.
    pub fn enter(&self) -> Option<SpanGuard> {
        self.span_id().map(enter_span)
    }

    /// Awaits `call` with this span as the current one, and ends it with the result: an error sets
    /// the status.
    ///
    /// Dropping the future ends the span as `cancelled`.
    pub fn observe<F, T, E>(self, call: F) -> ObservedCall<F>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        ObservedCall { call, span: Cancellable(self) }
    }

    /// Ends the span now.
    pub fn finish(self) {}
}

fn open(name: Text, kind: SpanKind, parent: Parent) -> Box<Open> {
    Box::new(Open { span: parent.begin(name, kind), tracer: parent.tracer })
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            let Open { mut span, tracer } = *open;
            Parent::end(&mut span, &tracer);
            tracer.export(span);
        }
    }
}

impl fmt::Debug for CallSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallSpan").field(&self.0.as_ref().map(|open| &open.span)).finish()
    }
}

/// A span that counts as cancelled unless its call came to an end.
#[derive(Debug)]
struct Cancellable(CallSpan);

impl Cancellable {
    fn end(&mut self, error: Option<&dyn fmt::Display>) {
        if let Some(error) = error {
            self.0.fail(error);
        }
        drop(CallSpan(self.0.0.take()));
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        if self.0.is_recording() {
            self.0.set("error.type", "cancelled");
            self.0.fail("the call was dropped before it ended");
        }
    }
}

pin_project! {
    /// The future of [`CallSpan::observe`].
    ///
    /// ```
    /// use obs_core::span::{CallSpan, ObservedCall};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let call: ObservedCall<_> = CallSpan::redis("GET").observe(async { Ok::<_, std::io::Error>(7) });
    /// assert_eq!(call.await.unwrap(), 7);
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ObservedCall<F> {
        #[pin]
        call: F,
        span: Cancellable,
    }
}

impl<F, T, E> Future for ObservedCall<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.span.0.enter();
        let polled = this.call.poll(cx);
        drop(entered);
        if let Poll::Ready(result) = &polled {
            this.span.end(result.as_ref().err().map(|error| error as &dyn fmt::Display));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use crate::context::RequestContext;
    use crate::environment::Environment;
    use crate::output::Output;
    use crate::telemetry::Telemetry;
    use crate::trace::MemoryExporter;

    use super::*;

    fn recorded(sampled: bool, work: impl FnOnce()) -> (Vec<SpanRecord>, RequestContext) {
        let memory = MemoryExporter::default();
        let telemetry = Telemetry::builder("orders")
            .environment(Environment::empty())
            .output(Output::captured().0)
            .span_exporter(memory.clone())
            .build()
            .unwrap();
        let request = RequestContext::builder(&telemetry).sampled(sampled).build();
        let entered = request.enter();
        work();
        drop(entered);
        assert!(telemetry.tracer().flush(Duration::from_secs(30)));
        (memory.spans(), request)
    }

    fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_call_within_a_call_is_its_child() {
        let (spans, request) = recorded(true, || {
            let call = async {
                CallSpan::database("sqlite", "SELECT", "orders").finish();
                Ok::<_, fmt::Error>(())
            };
            assert!(poll(&mut Box::pin(CallSpan::redis("GET").observe(call))).is_ready());
        });
        let [inner, outer] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((&*inner.name, &*outer.name), ("SELECT orders", "GET"));
        assert_eq!(outer.parent_span_id, Some(request.span_id()));
        assert_eq!(inner.parent_span_id, Some(outer.span_id));
        assert_eq!(inner.trace_id, request.trace_id());
        assert_eq!(outer.status, Status::Unset);
    }

    #[test]
    fn outgoing_calls_name_the_call_as_their_parent() {
        let (spans, _) = recorded(true, || {
            let call = CallSpan::aws("SQS", "SendMessage");
            let entered = call.enter();
            let mut carrier = http::HeaderMap::new();
            RequestContext::with_current(|request| {
                request.inject(&mut carrier, &crate::propagate::TrustPolicy::internal());
            });
            drop(entered);
            let sent = carrier["traceparent"].to_str().unwrap();
            assert_eq!(sent.split('-').nth(2), call.span_id().map(|id| id.to_string()).as_deref());
        });
        assert_eq!(spans.len(), 1);
    }

    #[test]
    fn an_error_sets_the_status() {
        let (spans, _) = recorded(true, || {
            let call = CallSpan::aws("DynamoDB", "PutItem").observe(async { Err::<(), _>("no") });
            assert!(poll(&mut Box::pin(call)).is_ready());
        });
        assert_eq!(spans[0].status, Status::error("no"));
        assert_eq!(spans[0].name, "DynamoDB.PutItem");
    }

    #[test]
    fn a_dropped_call_is_cancelled_and_never_a_success() {
        let (spans, request) = recorded(true, || {
            let pending = std::future::pending::<Result<(), fmt::Error>>();
            let mut call = Box::pin(CallSpan::redis("GET").observe(pending));
            assert!(poll(&mut call).is_pending());
            let current = RequestContext::with_current(RequestContext::current_span_id);
            let own = RequestContext::with_current(RequestContext::span_id);
            assert_eq!(current, own, "a call is the current span while it is polled only");
        });
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].parent_span_id, Some(request.span_id()));
        assert!(spans[0].status.is_error());
        assert_eq!(spans[0].attributes.get("error.type").unwrap().as_str(), Some("cancelled"));
    }

    #[test]
    fn what_the_whole_request_is_about_stands_on_each_span_that_ends_after_it_was_told() {
        let (spans, _) = recorded(true, || {
            CallSpan::redis("GET").finish();
            let mut own = CallSpan::redis("SET");
            own.annotate("order_id", "its own");
            let open = CallSpan::redis("DEL");
            RequestContext::with_current(|request| request.annotate_all("order_id", "o-1"));
            drop((own, open));
        });
        let told = |name: &str| {
            let span = spans.iter().find(|span| span.name == name).unwrap();
            span.annotations.get("order_id").and_then(AttributeValue::as_str)
        };
        assert_eq!((told("GET"), told("SET"), told("DEL")), (None, Some("its own"), Some("o-1")));
    }

    #[test]
    fn an_unsampled_request_builds_nothing() {
        let (spans, _) = recorded(false, || {
            let mut span = CallSpan::database("sqlite", "SELECT", "orders");
            span.annotate("tenant", "acme");
            assert!(!span.is_recording() && span.enter().is_none());
        });
        assert!(spans.is_empty());
        assert!(!CallSpan::redis("GET").is_recording(), "nor does work outside any request");
    }
}
