use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Body;
use obs_core::control::{Health, Kind};
use serde_json::Value;
use tower_service::Service;

use super::body::HealthBody;
use super::operate;
use super::path::{Endpoint, kind};
use super::respond::{json_response, method_not_allowed, not_found, respond, without_body};
use crate::registry::HealthRegistry;
use crate::report;

/// Answers the endpoints of this module; any other path is 404.
///
/// ```
/// use http::{Request, StatusCode};
/// use obs_health::{HealthRegistry, HealthService};
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let health = HealthRegistry::builder("orders").build().unwrap();
/// let request = Request::get("/ready").body(String::new()).unwrap();
/// let response = HealthService::new(health).oneshot(request).await.unwrap();
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(response.headers()["content-type"], "application/health+json");
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct HealthService {
    registry: HealthRegistry,
    shows_details: bool,
}

impl HealthService {
    /// The endpoints for a public listener: details and actions need the token of
    /// `OBS_ADMIN_TOKEN`.
    #[must_use]
    pub fn new(registry: HealthRegistry) -> Self {
        Self { registry, shows_details: false }
    }

    /// The endpoints for a listener that only operators reach: details need no token, actions do.
    ///
    /// ```
    /// use obs_health::{HealthRegistry, HealthService};
    ///
    /// let service = HealthService::management(HealthRegistry::builder("orders").build()?);
    /// # let _ = service;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn management(registry: HealthRegistry) -> Self {
        Self { registry, shows_details: true }
    }

    fn answer(&self, endpoint: &Endpoint, headers: &HeaderMap) -> Response<HealthBody> {
        match endpoint {
            Endpoint::Readiness => self.probe(self.registry.readiness(), headers),
            Endpoint::Liveness => self.probe(self.registry.liveness(), headers),
            Endpoint::Detail => self.detail(headers),
            Endpoint::Circuits => self.seen(headers, || {
                operate::list(&self.registry, |kind| kind == Kind::CircuitBreaker, "circuits")
            }),
            Endpoint::Controls => self.seen(headers, || {
                operate::list(&self.registry, |kind| kind != Kind::CircuitBreaker, "controls")
            }),
            Endpoint::Control(of, name) => match operate::show(&self.registry, kind(of), name) {
                Some(document) => self.seen(headers, || document),
                None => self.seen_or(headers, || not_found("no control has this name")),
            },
        }
    }

    fn probe(&self, health: Health, headers: &HeaderMap) -> Response<HealthBody> {
        if is_curl(headers) {
            let text = Bytes::from_static(match health {
                Health::Pass => b"pass\n",
                Health::Warn => b"warn\n",
                Health::Fail => b"fail\n",
            });
            return respond(self.status(health), "text/plain; charset=utf-8", text);
        }
        self.health_json(health, &report::summary(&self.registry, health))
    }

    /// Those who may not see details get what a probe gets.
    fn detail(&self, headers: &HeaderMap) -> Response<HealthBody> {
        let health = self.registry.readiness();
        if !self.may_see(headers) {
            return self.probe(health, headers);
        }
        self.health_json(health, &report::detail(&self.registry, health))
    }

    fn health_json(&self, health: Health, document: &Value) -> Response<HealthBody> {
        respond(self.status(health), report::CONTENT_TYPE, document.to_string())
    }

    fn status(&self, health: Health) -> StatusCode {
        match health {
            Health::Pass => StatusCode::OK,
            Health::Warn => self.registry.inner().degraded_status,
            Health::Fail => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn seen(&self, headers: &HeaderMap, document: impl FnOnce() -> Value) -> Response<HealthBody> {
        self.seen_or(headers, || json_response(StatusCode::OK, &document()))
    }

    fn seen_or(
        &self,
        headers: &HeaderMap,
        answer: impl FnOnce() -> Response<HealthBody>,
    ) -> Response<HealthBody> {
        if self.may_see(headers) { answer() } else { operate::unauthorized(&self.registry) }
    }

    fn may_see(&self, headers: &HeaderMap) -> bool {
        self.shows_details || self.registry.inner().access.permits(headers)
    }
}

impl<B> Service<Request<B>> for HealthService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<HealthBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (parts, body) = request.into_parts();
        let Some(endpoint) = Endpoint::at(parts.uri.path()) else {
            return ResponseFuture::ready(not_found("no health endpoint has this path"));
        };
        match (parts.method, endpoint) {
            (Method::GET, endpoint) => {
                ResponseFuture::ready(self.answer(&endpoint, &parts.headers))
            }
            (Method::HEAD, endpoint) => {
                ResponseFuture::ready(without_body(self.answer(&endpoint, &parts.headers)))
            }
            (Method::POST, Endpoint::Control(of, name)) => {
                let registry = self.registry.clone();
                let act = operate::act(registry, parts.headers, kind(of), name, body);
                ResponseFuture(Answer::Later(Box::pin(act)))
            }
            (_, endpoint) => ResponseFuture::ready(method_not_allowed(&endpoint)),
        }
    }
}

/// The future of [`HealthService`]; ready at once but for actions, whose body is read first.
///
/// ```
/// use http::Request;
/// use obs_health::{HealthRegistry, HealthService};
/// use tower::Service;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let health = HealthRegistry::builder("orders").build()?;
/// let request = Request::get("/ready").body(String::new())?;
/// let future: obs_health::router::ResponseFuture = HealthService::new(health).call(request);
/// assert_eq!(future.await?.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ResponseFuture(Answer);

enum Answer {
    Ready(Option<Response<HealthBody>>),
    Later(Pin<Box<dyn Future<Output = Response<HealthBody>> + Send>>),
}

impl ResponseFuture {
    fn ready(response: Response<HealthBody>) -> Self {
        Self(Answer::Ready(Some(response)))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<HealthBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Answer::Ready(response) => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after it is ready")))
            }
            Answer::Later(response) => response.as_mut().poll(context).map(Ok),
        }
    }
}

impl std::fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseFuture")
    }
}

/// Whether the caller is curl and has not asked for a format.
fn is_curl(headers: &HeaderMap) -> bool {
    let starts_with = |name, prefix: &[u8]| {
        headers.get(name).is_some_and(|value| value.as_bytes().starts_with(prefix))
    };
    let wants_anything = !headers.contains_key(header::ACCEPT)
        || headers.get(header::ACCEPT).is_some_and(|accept| accept == "*/*");
    starts_with(header::USER_AGENT, b"curl/") && wants_anything
}
