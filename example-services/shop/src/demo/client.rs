use std::error::Error;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::PATIENCE;

/// A customer's program: it knows the gateway's address and nothing of telemetry.
#[derive(Debug)]
pub(super) struct Client {
    base: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

/// A request and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) asked: Option<Value>,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Client {
    pub(super) fn new(base: &str) -> Result<Self, Box<dyn Error>> {
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Ok(Self { base: base.to_owned(), http })
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        correlation_id: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Box<dyn Error>> {
        let bytes = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("x-correlation-id", correlation_id)
            .header("x-tenant-id", "acme")
            .body(Full::from(bytes))?;
        let exchange = async {
            let (answer, body) = self.http.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, Box<dyn Error>>((answer, body))
        };
        let (answer, bytes) = tokio::time::timeout(PATIENCE, exchange).await??;
        Ok(Answer {
            method,
            path: path.to_owned(),
            asked: body.cloned(),
            status: answer.status,
            headers: answer.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }
}
