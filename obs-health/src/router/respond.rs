//! How an answer is put together.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body;
use obs_core::problem::Problem;
use serde_json::Value;

use super::body::HealthBody;
use super::path::Endpoint;

pub(super) fn json_response(status: StatusCode, document: &Value) -> Response<HealthBody> {
    respond(status, "application/json", document.to_string())
}

pub(super) fn not_found(detail: &'static str) -> Response<HealthBody> {
    Problem::new(StatusCode::NOT_FOUND).detail(detail).into_response()
}

pub(super) fn method_not_allowed(endpoint: &Endpoint) -> Response<HealthBody> {
    let allowed = match endpoint {
        Endpoint::Control(..) => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED).into_response::<HealthBody>();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<HealthBody> {
    let body = body.into();
    let mut response = Response::new(HealthBody::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What `GET` would answer, with the length of the body that is left out.
pub(super) fn without_body(response: Response<HealthBody>) -> Response<HealthBody> {
    let (mut parts, body) = response.into_parts();
    let length = body.size_hint().exact().unwrap_or(0);
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Response::from_parts(parts, HealthBody::default())
}
