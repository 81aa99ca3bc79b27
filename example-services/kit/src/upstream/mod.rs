//! Calls to another service.

mod error;

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header, uri};
use http_body_util::{BodyExt, Full, Limited};
use obs_core::config::ConfigError;
use obs_core::telemetry::Telemetry;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::{UpstreamError, UpstreamErrorKind};

use self::client::HttpClient;

mod client;

/// How long a call may take, from its start to the head of the answer, unless the upstream has
/// another limit.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The most calls to one service at a time; further ones wait their turn.
///
/// It bounds the sockets: in one process each call takes two, one at either end.
const MAX_CONCURRENT_CALLS: u32 = 128;

/// The most bytes of an answer that is read as a whole.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Another service, by name and base address; cheap to clone.
///
/// A call that failed is made again, twice at most, if it may be repeated, if this service is the
/// outermost to try, and while the retries' budget lasts. Calls beyond 128 at a time wait for 5 s.
/// When half of the last 50 calls failed, further ones fail at once for 1 s, or longer if that
/// happens again. Each part can be seen at `/health/controls` under the name of the other service.
#[derive(Clone)]
pub struct Upstream {
    name: &'static str,
    base: uri::Authority,
    client: HttpClient,
    timeout: Duration,
}

impl Upstream {
    /// The service `name`, which listens at `base`, called by the service that `telemetry`
    /// belongs to.
    ///
    /// # Errors
    /// When the name cannot be that of a control.
    pub fn new(
        name: &'static str,
        base: uri::Authority,
        telemetry: &Telemetry,
    ) -> Result<Self, ConfigError> {
        let client = client::new(name, base.host(), telemetry)?;
        Ok(Self { name, base, client, timeout: CALL_TIMEOUT })
    }

    /// Sets how long a call may take, from its start to the head of the answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The name of the service.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Sends `body` as JSON, if there is one, and reads the answer as JSON.
    ///
    /// # Errors
    /// When the service cannot be reached in time, answers with a status of 400 or more, or
    /// answers what is not a `T`.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, UpstreamError> {
        let garbled = |_| UpstreamError::new(self.name, UpstreamErrorKind::Garbled);
        let mut request = Request::builder().method(method).uri(path);
        let mut bytes = Bytes::new();
        if let Some(body) = body {
            bytes = serde_json::to_vec(body).map_err(garbled)?.into();
            let kind = HeaderValue::from_static("application/json");
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let garbled = UpstreamError::new(self.name, UpstreamErrorKind::Garbled);
        let Ok(request) = request.body(bytes) else { return Err(garbled) };

        let answer = self.exchange(request).await?;
        serde_json::from_slice(&answer).map_err(|_| garbled)
    }

    /// Sends a request whose URI is a path and reads the answer as a whole.
    ///
    /// # Errors
    /// When the service cannot be reached in time, answers with a status of 400 or more, or with
    /// more than 1 MiB.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Bytes, UpstreamError> {
        let error = |kind| UpstreamError::new(self.name, kind);
        let response = self.send(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| error(UpstreamErrorKind::Garbled))?.to_bytes();
        if status.as_u16() >= 400 {
            let problem = serde_json::from_slice(&body).unwrap_or_default();
            return Err(error(UpstreamErrorKind::Refused(status, problem)));
        }
        Ok(body)
    }

    /// Sends a request whose URI is a path and returns the answer, whatever its status.
    ///
    /// # Errors
    /// When the service cannot be reached in time.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Body>, UpstreamError> {
        let error = |kind| UpstreamError::new(self.name, kind);
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = Some(self.base.clone());
        *request.uri_mut() =
            Uri::from_parts(parts).map_err(|_| error(UpstreamErrorKind::Garbled))?;
        let exchange = async {
            client::send(&self.client, request.map(Full::new))
                .await
                .map_err(|cause| error(UpstreamErrorKind::Unreachable).because(cause))
        };
        tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(error(UpstreamErrorKind::TimedOut)))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name).field("base", &self.base).finish()
    }
}
