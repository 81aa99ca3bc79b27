//! The record of one outgoing call.

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, Uri, request, response};
use obs_core::clock::{Instant, Timestamp};
use obs_core::context::{ContextGuard, RequestContext, SpanGuard, enter_span};
use obs_core::deadline::Deadline;
use obs_core::id::SpanId;
use obs_core::outcome::Outcome;
use obs_core::propagate::TrustedHosts;
use obs_core::telemetry::Telemetry;
use obs_core::trace::{Attributes, SamplingInput, SpanKind, SpanRecord, Status, Text};
use tracing::Level;

use super::logical::Attempts;
use super::metrics::Metrics;
use crate::deadline::inherited;
use crate::exchange::{Attempt, End, OTHER_METHOD, Verdict, method_name, milliseconds, scheme};

/// The target of the lines of calls, by which `RUST_LOG` filters them.
pub const TARGET: &str = "obs_tower::client";

/// What a layer and its services share.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) telemetry: Telemetry,
    pub(super) peer_name: Option<Arc<str>>,
    pub(super) trusted_hosts: TrustedHosts,
    pub(super) level: Level,
    pub(super) tracing: bool,
    pub(super) metrics: Option<Metrics>,
}

/// One call, until it is finished; dropping it records that it was given up.
#[derive(Debug)]
pub(super) struct Call(Option<Record>);

#[derive(Debug)]
struct Record {
    caller: Arc<Caller>,
    context: RequestContext,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    attempt: Option<u32>,
    deadline: Option<Deadline>,
    started: Instant,
    wall: Timestamp,
    method: &'static str,
    uri: Uri,
    status: Option<StatusCode>,
    response_bytes: u64,
}

impl Caller {
    /// Opens the record of a call, and writes into its headers what the callee is told.
    pub(super) fn begin(caller: &Arc<Self>, parts: &mut request::Parts) -> Call {
        let telemetry = &caller.telemetry;
        let now = telemetry.clock().now();
        let within = RequestContext::current();
        let span_id = telemetry.ids().span_id();
        let parent_span_id = within.as_ref().map(RequestContext::current_span_id);
        let context = within.unwrap_or_else(|| caller.start_trace(span_id));
        // Counted in any case: the logical call's span says how many there were.
        let counted = parts.extensions.get().map(Attempts::next);
        let attempt = parts.extensions.get().map(|Attempt(number)| *number).or(counted);
        let deadline = inherited();
        let host = parts.uri.host().unwrap_or_default();
        let policy = caller.trusted_hosts.policy(host);
        context.with_outgoing(|mut outgoing| {
            outgoing.span_id = span_id;
            outgoing.attempt = attempt;
            outgoing.timeout = deadline.map(|deadline| deadline.remaining(now));
            telemetry.propagators().inject(&outgoing, &mut parts.headers, &policy);
        });
        Call(Some(Record {
            caller: Arc::clone(caller),
            context,
            span_id,
            parent_span_id,
            attempt,
            deadline,
            started: now,
            wall: telemetry.clock().wall(),
            method: method_name(&parts.method),
            uri: parts.uri.clone(),
            status: None,
            response_bytes: 0,
        }))
    }

    /// The context of a call that no request makes.
    fn start_trace(&self, span_id: SpanId) -> RequestContext {
        let mut builder = RequestContext::builder(&self.telemetry).span_id(span_id);
        let input = SamplingInput::new(builder.trace_id(), self.telemetry.service_name());
        let sampled = self.telemetry.tracer().decide(&input).sampled;
        builder.sampled(sampled).build()
    }

    fn finish(&self, record: &Record, end: &End) {
        let now = self.telemetry.clock().now();
        let elapsed = now - record.started;
        let dropped = match record.status {
            _ if record.deadline.is_some_and(|deadline| deadline.has_passed(now)) => {
                Outcome::DeadlineExceeded
            }
            Some(_) => Outcome::CancelledInBody,
            None => Outcome::CancelledBeforeHeaders,
        };
        let verdict = Verdict::of(end, record.status, None, dropped);
        if let Some(metrics) = &self.metrics {
            let (error, fault) = (verdict.is_error(), verdict.is_fault());
            metrics.record(self.telemetry.recorder(), self.peer(record), elapsed, error, fault);
        }
        if self.telemetry.is_enabled(self.level, TARGET) {
            self.write_line(record, &verdict, elapsed);
        }
        let tracer = self.telemetry.tracer();
        if self.tracing && tracer.is_recording() {
            if record.context.is_sampled() {
                tracer.export(self.span(record, &verdict, elapsed));
            } else {
                tracer.sampled_out();
            }
        }
    }
}

impl Caller {
    fn peer<'a>(&'a self, record: &'a Record) -> &'a str {
        self.peer_name.as_deref().or(record.uri.host()).unwrap_or("unknown")
    }

    fn write_line(&self, record: &Record, verdict: &Verdict, elapsed: Duration) {
        let mut ids = record.context.ids();
        ids.span_id = Some(record.span_id);
        let message = format_args!("client call completed");
        self.telemetry.line(self.level, TARGET, message, &ids, |line| {
            line.str("peer", self.peer(record)).str("method", record.method);
            if let Some(status) = verdict.status {
                line.u64("status", status.into());
            }
            line.str("outcome", verdict.outcome.as_str())
                .f64("duration_ms", milliseconds(elapsed))
                .u64("response_bytes", record.response_bytes);
            if let Some(attempt) = record.attempt {
                line.u64("attempt", attempt.into());
            }
            if let Some(status) = verdict.grpc_status {
                line.str("grpc_status", status.name());
            }
            if let Some(kind) = &verdict.error_kind {
                line.str("error_kind", kind);
            }
        });
    }

    /// The span of a call, with the attributes of OpenTelemetry's
    /// [conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span).
    fn span(&self, record: &Record, verdict: &Verdict, elapsed: Duration) -> SpanRecord {
        let Record { context, uri, .. } = record;
        let name = if record.method == OTHER_METHOD { "HTTP" } else { record.method };
        let mut span = SpanRecord::new(name, SpanKind::Client, context.trace_id(), record.span_id);
        span.parent_span_id = record.parent_span_id;
        span.start = record.wall;
        span.end = record.wall.saturating_add(elapsed);
        span.attributes = attributes(record, verdict);
        span.attributes.push("peer.service", self.peer(record).to_owned());
        span.trace_state = match context.trace_state().as_str() {
            "" => Text::default(),
            state => state.to_owned().into(),
        };
        if let Some(port) = uri.port_u16() {
            span.attributes.push("server.port", port);
        }
        if verdict.is_fault() || verdict.is_error() {
            span.status = Status::error(verdict.outcome.as_str());
        }
        context.annotate_span(&mut span);
        span
    }
}

fn attributes(record: &Record, verdict: &Verdict) -> Attributes {
    let mut attributes = Attributes::with_capacity(10);
    attributes.push("http.request.method", record.method);
    attributes.push("url.full", without_secrets(&record.uri));
    if let Some(host) = record.uri.host() {
        attributes.push("server.address", host.to_owned());
    }
    if let Some(status) = verdict.status {
        attributes.push("http.response.status_code", status);
    }
    if let Some(attempt @ 2..) = record.attempt {
        attributes.push("http.request.resend_count", attempt - 1);
    }
    if let Some(status) = verdict.grpc_status {
        attributes.push("rpc.system.name", "grpc");
        attributes.push("rpc.response.status_code", status.name());
    }
    if let Some(kind) = verdict.error_type() {
        attributes.push("error.type", kind);
    }
    attributes
}

/// The URL without user, password and query, which may hold secrets.
fn without_secrets(uri: &Uri) -> String {
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", scheme(uri), uri.host().unwrap_or_default(), uri.path())
}

impl Call {
    /// Makes the call's span the current one.
    pub(super) fn enter(&self) -> Option<(SpanGuard, ContextGuard)> {
        let record = self.0.as_ref()?;
        let context = record.context.enter();
        // Dropped in this order: the span belongs to the context.
        Some((enter_span(record.span_id), context))
    }

    pub(super) fn method(&self) -> &'static str {
        self.0.as_ref().map_or("", |record| record.method)
    }

    pub(super) fn answered(&mut self, parts: &response::Parts) {
        if let Some(record) = &mut self.0 {
            record.status = Some(parts.status);
        }
    }

    pub(super) fn received(&mut self, bytes: usize) {
        if let Some(record) = &mut self.0 {
            record.response_bytes = record.response_bytes.saturating_add(bytes as u64);
        }
    }

    /// Ends the call; the first to do so is the one that counts.
    pub(super) fn finish(mut self, end: End) {
        self.end(&end);
    }

    fn end(&mut self, end: &End) {
        if let Some(record) = self.0.take() {
            record.caller.finish(&record, end);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(&End::Dropped);
    }
}
