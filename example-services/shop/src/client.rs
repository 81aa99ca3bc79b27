//! A customer's program: it knows an address and nothing of telemetry.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Whatever went wrong, for a person.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How long a request may take, unless more is allowed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A program that calls one address; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
    patience: Duration,
}

/// A request and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) asked: Option<Value>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Self { base: base.to_owned(), http, patience: PATIENCE }
    }

    /// Allows requests to take longer.
    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What `GET path` answers, if that is a success.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Fault> {
        let answer = self.send(Method::GET, path, &[], None).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
        Err(format!("GET {path} was answered {}: {detail}", answer.status).into())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let bytes = body.map(ToString::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(bytes))?;
        let exchange = async {
            let (answer, body) = self.http.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, Fault>((answer, body))
        };
        let (answer, bytes) = tokio::time::timeout(self.patience, exchange).await??;
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
