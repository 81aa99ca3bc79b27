//! What somebody would write who knows this one service and nothing else: the same line out of fixed
//! text, and the header that tells the correlation id.
//!
//! It does less than the layer: no context for handlers, no `traceparent` and no span, no count of
//! what is in flight, no redaction, and of the ways in which a request can end it knows one. Its
//! lines go through the suite's queue, because that is the quickest that we know.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use axum::routing::Route;
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body::Frame;
use obs_core::clock::Clock;
use obs_core::output::{Class, Output};
use tower::layer::layer_fn;
use tower::service_fn;
use tower_service::Service;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const XRAY: HeaderName = HeaderName::from_static("x-amzn-trace-id");

const METRICS: &str = r#","CloudWatchMetrics":[{"Namespace":"bench","Dimensions":[["Service","Environment"],["Service","Environment","Method","Route"]],"Metrics":[{"Name":"Requests","Unit":"Count"},{"Name":"Errors","Unit":"Count"},{"Name":"Faults","Unit":"Count"},{"Name":"Latency","Unit":"Milliseconds"},{"Name":"ResponseSize","Unit":"Bytes"},{"Name":"InFlight","Unit":"Count"}]}]},"Service":"bench","Environment":"local","#;

/// `router` with the line written by hand.
pub fn by_hand(router: Router, output: Output) -> Router {
    let recorder = Recorder { output, clock: Clock::system() };
    router.layer(layer_fn(move |route: Route| {
        let recorder = recorder.clone();
        service_fn(move |request| record(recorder.clone(), route.clone(), request))
    }))
}

#[derive(Clone)]
struct Recorder {
    output: Output,
    clock: Clock,
}

async fn record(
    recorder: Recorder,
    mut route: Route,
    request: Request,
) -> Result<Response, Infallible> {
    let start = now();
    let (id, span) = (random(), random());
    let headers = request.headers();
    let mut record = Record {
        recorder,
        start,
        first_byte: start,
        correlation_id: match headers.get(CORRELATION_ID) {
            Some(sent) => sent.clone(),
            None => HeaderValue::try_from(format!("{id:032x}")).expect("hexadecimal is visible"),
        },
        trace: headers.get(XRAY).cloned(),
        span: span as u64,
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        user_agent: headers.get(USER_AGENT).cloned(),
        status: StatusCode::OK,
        bytes: 0,
    };
    let mut response = route.call(request).await?;
    response.headers_mut().insert(CORRELATION_ID, record.correlation_id.clone());
    (record.first_byte, record.status) = (now(), response.status());
    Ok(response.map(|body| Body::new(Recorded { body, record: Some(record) })))
}

struct Record {
    recorder: Recorder,
    start: Instant,
    first_byte: Instant,
    correlation_id: HeaderValue,
    trace: Option<HeaderValue>,
    span: u64,
    method: Method,
    route: Option<MatchedPath>,
    user_agent: Option<HeaderValue>,
    status: StatusCode,
    bytes: u64,
}

thread_local! {
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static RANDOM: Cell<u128> = const { Cell::new(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835) };
}

impl Record {
    fn write(&self) {
        let mut line = LINE.take();
        line.clear();
        // Memory takes all that is written into it.
        let _ = self.format(&mut line);
        self.recorder.output.write(Class::Request, &line);
        LINE.set(line);
    }

    fn format(&self, line: &mut Vec<u8>) -> std::io::Result<()> {
        let (at, status) = (self.recorder.clock.wall(), self.status.as_u16());
        let route = self.route.as_ref().map_or("", MatchedPath::as_str);
        let (method, bytes) = (self.method.as_str(), self.bytes);
        line.extend_from_slice(b"{\"timestamp\":\"");
        at.write_rfc3339(line);
        line.extend_from_slice(
            b"\",\"level\":\"INFO\",\"message\":\"request completed\",\"target\":\"bench\",\
            \"service\":\"bench\",\"correlation_id\":\"",
        );
        line.extend_from_slice(plain(Some(&self.correlation_id)));
        let root = plain(self.trace.as_ref());
        let root =
            root.strip_prefix(b"Root=1-").filter(|root| root.len() == 33).unwrap_or(&[b'0'; 33]);
        let (epoch, rest) = (&root[..8], &root[9..]);
        line.extend_from_slice(b"\",\"trace_id\":\"");
        line.extend_from_slice(epoch);
        line.extend_from_slice(rest);
        write!(line, "\",\"span_id\":\"{:016x}\",\"xray_trace_id\":\"1-", self.span)?;
        line.extend_from_slice(epoch);
        line.push(b'-');
        line.extend_from_slice(rest);
        let latency = millis(self.start, now());
        write!(
            line,
            "\",\"method\":\"{method}\",\"route\":\"{route}\",\"status\":{status},\
            \"outcome\":\"success\",\"duration_ms\":{latency},\"ttfb_ms\":{},\
            \"response_bytes\":{bytes},\"user_agent\":\"",
            millis(self.start, self.first_byte),
        )?;
        line.extend_from_slice(plain(self.user_agent.as_ref()));
        line.extend_from_slice(b"\",\"_aws\":{\"Timestamp\":");
        at.write_unix_millis(line);
        line.extend_from_slice(METRICS.as_bytes());
        let (errors, faults) = (self.status.is_client_error(), self.status.is_server_error());
        writeln!(
            line,
            "\"Method\":\"{method}\",\"Route\":\"{route}\",\"Requests\":1,\"Errors\":{},\
            \"Faults\":{},\"Latency\":{latency},\"ResponseSize\":{bytes},\"InFlight\":1}}",
            u8::from(errors),
            u8::from(faults),
        )
    }
}

/// The bytes of a header, unless JSON would have to escape one of them.
fn plain(header: Option<&HeaderValue>) -> &[u8] {
    let bytes = header.map_or(&b""[..], HeaderValue::as_bytes);
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if bytes.iter().all(is_plain) { bytes } else { b"" }
}

/// Whole microseconds, as milliseconds.
fn millis(from: Instant, to: Instant) -> f64 {
    (to - from).as_micros() as f64 / 1e3
}

/// A linear congruential generator; good enough for ids of requests that nobody keeps.
fn random() -> u128 {
    const FACTOR: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;
    let next = RANDOM.get().wrapping_mul(FACTOR).wrapping_add(1);
    RANDOM.set(next);
    next
}

fn now() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "a stopwatch around the request")]
    Instant::now()
}

/// A body that writes the record at its end.
struct Recorded {
    body: Body,
    record: Option<Record>,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let (Some(Ok(frame)), Some(record)) = (&frame, &mut self.record) {
            record.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        if frame.is_none() || self.body.is_end_stream() {
            drop(self.record.take());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.write();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use obs_tower::observe::ObserveLayer;
    use serde_json::{Map, Value};

    use super::*;
    use crate::service::telemetry::telemetry_to;
    use crate::service::{bare, calls};

    fn line(through: impl FnOnce(Output) -> Router) -> Map<String, Value> {
        let (output, capture) = Output::captured();
        calls(through(output.clone()))(1);
        assert!(output.flush(Duration::from_secs(10)));
        serde_json::from_str(&capture.text()).unwrap()
    }

    #[test]
    fn the_line_by_hand_has_the_members_of_ours() {
        let ours = line(|output| bare().layer(ObserveLayer::new(telemetry_to(output, 0.0))));
        let by_hand = line(|output| by_hand(bare(), output));
        assert!(ours.keys().eq(by_hand.keys()), "{ours:?} {by_hand:?}");
        for same in ["trace_id", "route", "status", "response_bytes", "user_agent", "outcome"] {
            assert_eq!(ours[same], by_hand[same]);
        }
        assert_eq!(ours["_aws"]["CloudWatchMetrics"], by_hand["_aws"]["CloudWatchMetrics"]);
    }
}
