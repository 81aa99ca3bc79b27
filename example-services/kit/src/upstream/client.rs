use std::future::poll_fn;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use obs_core::propagate::TrustedHosts;
use obs_core::telemetry::Telemetry;
use obs_tower::client as observed;
use obs_tower::client::ClientLayer;
use tower_layer::Layer;
use tower_service::Service;

/// A client whose calls are observed.
pub(super) type HttpClient = observed::Client<Client<HttpConnector, Full<Bytes>>>;

/// A client for calls to the service `name` at `host`, which is one of ours.
pub(super) fn new(name: &'static str, host: &str, telemetry: &Telemetry) -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(super::MAX_CONCURRENT_CALLS)
        .build(connector);
    ClientLayer::builder(telemetry.clone())
        .peer_name(name)
        .trusted_hosts(TrustedHosts::loopback().and(host))
        .build()
        .layer(client)
}

pub(super) async fn send(
    client: &HttpClient,
    request: Request<Full<Bytes>>,
) -> Result<Response<Body>, Error> {
    let mut client = client.clone();
    poll_fn(|context| client.poll_ready(context)).await?;
    client.call(request).await.map(|response| response.map(Body::new))
}
