//! A clock that follows Tokio's paused time, and a client for the health endpoints.

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use obs_core::clock::{Clock, Instant, TimeSource, Timestamp};
use obs_health::{HealthRegistry, HealthService};
use tower::ServiceExt;

#[derive(Debug)]
struct TokioTime(tokio::time::Instant);

impl TimeSource for TokioTime {
    fn monotonic(&self) -> Instant {
        let elapsed = u64::try_from(self.0.elapsed().as_nanos()).unwrap();
        Instant::from_nanos(1_000_000_000 + elapsed)
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_nanos(1_767_225_600_000_000_000 + self.monotonic().as_nanos())
    }
}

/// A clock that moves with Tokio's timers.
pub(crate) fn clock() -> Clock {
    Clock::custom(TokioTime(tokio::time::Instant::now()))
}

/// What an endpoint answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// Sends a request to the public endpoints.
pub(crate) async fn send(health: &HealthRegistry, request: Request<String>) -> Answer {
    let response = HealthService::new(health.clone()).oneshot(request).await.unwrap();
    read(response).await
}

/// Reads a response to its end.
pub(crate) async fn read(response: Response<obs_health::router::HealthBody>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

/// `GET path` at the public endpoints.
pub(crate) async fn get(health: &HealthRegistry, path: &str) -> Answer {
    send(health, Request::get(path).body(String::new()).unwrap()).await
}
