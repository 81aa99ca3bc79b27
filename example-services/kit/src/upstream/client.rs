use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use obs_core::telemetry::Telemetry;

pub(super) type HttpClient = Client<HttpConnector, Full<Bytes>>;

pub(super) fn new(_name: &'static str, _telemetry: &Telemetry) -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

pub(super) async fn send(
    client: &HttpClient,
    request: Request<Full<Bytes>>,
) -> Result<Response<Body>, hyper_util::client::legacy::Error> {
    client.request(request).await.map(|response| response.map(Body::new))
}
