//! The one record of a request; its line, its metrics and its span are encodings of it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use http::{HeaderValue, StatusCode, Version};
use obs_core::clock::{Instant, Timestamp};
use obs_core::context::RequestContext;
use obs_core::outcome::Outcome;
use serde_json::json;
use tracing::Level;

use super::capture::Capture;
use super::ending::Ending;
use super::request_body::Intake;
use super::route::Route;
use super::texts::Texts;
use crate::exchange::{GrpcStatus, UNMATCHED};

/// A first byte that comes at least this long after the headers is worth a field of its own.
const LATE: Duration = Duration::from_millis(1);

/// What is known of a request while it is served.
pub(super) struct Recording {
    pub(super) context: RequestContext,
    pub(super) started: Instant,
    pub(super) wall: Timestamp,
    pub(super) method: &'static str,
    pub(super) route: Option<Route>,
    pub(super) texts: Texts,
    pub(super) scheme: &'static str,
    pub(super) version: Version,
    pub(super) is_grpc: bool,
    pub(super) skipped: bool,
    /// The requests that were being served when this one began, and it.
    pub(super) in_flight: u64,
    pub(super) operation: Option<Cow<'static, str>>,
    pub(super) client_address: Option<IpAddr>,
    pub(super) promised_bytes: Option<u64>,
    pub(super) intake: Option<Arc<Intake>>,
    pub(super) response: Option<ResponseHead>,
    pub(super) response_bytes: u64,
    pub(super) first_byte: Option<Instant>,
    pub(super) extra: Option<Box<Extra>>,
}

/// What only configured requests carry.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) headers: Vec<(Arc<str>, HeaderValue)>,
    pub(super) response_body: Option<Capture>,
}

/// What is known once the headers of the response are.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseHead {
    pub(super) at: Instant,
    pub(super) status: StatusCode,
    /// What a layer within said about the response.
    pub(super) verdict: Option<Outcome>,
    /// The gRPC status with which a panic was answered.
    pub(super) grpc_status: Option<GrpcStatus>,
}

impl Recording {
    /// Takes note of the response's headers.
    pub(super) fn answered(&mut self, head: ResponseHead, response_body: Option<Capture>) {
        self.response = Some(head);
        if response_body.is_some() {
            self.extra.get_or_insert_default().response_body = response_body;
        }
    }

    /// Takes note of a piece of the response's body.
    pub(super) fn sent(&mut self, data: &impl Buf, now: Instant) {
        self.first_byte.get_or_insert(now);
        self.response_bytes = self.response_bytes.saturating_add(data.remaining() as u64);
        if let Some(capture) = self.extra.as_mut().and_then(|extra| extra.response_body.as_mut()) {
            capture.push(data);
        }
    }

    /// Whether the request is of a skipped route and went well.
    pub(super) fn skips_line(&self, ending: &Ending) -> bool {
        self.skipped && ending.level() == Level::INFO
    }

    /// The bytes of the request's body: as they were counted, else as they were promised.
    pub(super) fn request_bytes(&self) -> Option<u64> {
        self.intake.as_ref().and_then(|intake| intake.bytes()).or(self.promised_bytes)
    }

    /// The route as a dimension.
    pub(super) fn route(&self) -> &str {
        self.route.as_ref().map_or(UNMATCHED, Route::as_str)
    }

    pub(super) fn ttfb(&self) -> Option<Duration> {
        self.response.as_ref().map(|response| response.at - self.started)
    }

    /// The time to the first byte of the body, where it did not come right after the headers.
    pub(super) fn late_first_byte(&self) -> Option<Duration> {
        let (headers, first_byte) = (self.response.as_ref()?.at, self.first_byte?);
        (first_byte - headers >= LATE).then(|| first_byte - self.started)
    }

    /// The request as the dump of what is in flight shows it.
    pub(super) fn describe(&self, now: Instant) -> serde_json::Value {
        json!({
            "method": self.method,
            "route": self.route(),
            "age_ms": (now - self.started).as_millis() as u64,
            "phase": if self.response.is_some() { "body" } else { "handler" },
            "response_bytes": self.response_bytes,
            "correlation_id": self.context.correlation_id().as_str(),
            "trace_id": self.context.trace_id().to_string(),
        })
    }
}
