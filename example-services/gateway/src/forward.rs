use std::borrow::Cow;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header, request};
use serde::Deserialize;
use shop_domain::id::{OrderId, UserId};
use shop_kit::extract::Body;
use shop_kit::failure::Failure;
use shop_kit::observe::{about_order, about_user};
use shop_kit::upstream::Upstream;

use crate::TIMEOUT;

/// What a request may carry to a service. Identity, trace and deadline are not forwarded but set
/// anew by the client's layer.
const REQUEST_HEADERS: [HeaderName; 4] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    HeaderName::from_static("idempotency-key"),
];

/// What an answer may carry to the customer.
const RESPONSE_HEADERS: [HeaderName; 7] = [
    header::ALLOW,
    header::CACHE_CONTROL,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
];

/// A service, and how paths under the gateway become paths of the service.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    upstream: Upstream,
    outside: Cow<'static, str>,
    inside: &'static str,
}

impl Forward {
    /// To `upstream`, with the prefix `outside` of the path replaced by `inside`.
    pub(crate) fn to(
        upstream: &Upstream,
        outside: impl Into<Cow<'static, str>>,
        inside: &'static str,
    ) -> Self {
        Self { upstream: upstream.clone().timeout(TIMEOUT), outside: outside.into(), inside }
    }

    /// Sets how long a customer waits at most.
    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        Self { upstream: self.upstream.timeout(timeout), ..self }
    }

    fn request(
        &self,
        parts: &request::Parts,
        body: bytes::Bytes,
    ) -> Result<Request<bytes::Bytes>, Failure> {
        let garbled = || Failure::status(StatusCode::BAD_REQUEST, "the path cannot be forwarded");
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let path = path.strip_prefix(&*self.outside).ok_or_else(garbled)?;
        let uri = Uri::try_from(format!("{}{path}", self.inside)).map_err(|_| garbled())?;
        let mut request = Request::new(body);
        request.method_mut().clone_from(&parts.method);
        *request.uri_mut() = uri;
        for name in &REQUEST_HEADERS {
            for value in parts.headers.get_all(name) {
                request.headers_mut().append(name, value.clone());
            }
        }
        Ok(request)
    }
}

/// What is looked at of an order: whose it is.
#[derive(Deserialize)]
struct Whose {
    user_id: UserId,
}

/// Sends the request on and the answer back.
#[tracing::instrument(name = "gateway.forward", skip_all, fields(service = to.upstream.name()))]
pub(crate) async fn forward(
    State(to): State<Forward>,
    parts: request::Parts,
    Body(body): Body,
) -> Result<Response, Failure> {
    if parts.method == Method::POST
        && parts.uri.path().ends_with("/orders")
        && let Ok(Whose { user_id }) = serde_json::from_slice(&body)
    {
        about_user(&user_id);
    }
    let request = to.request(&parts, body)?;
    let (answer, body) = to.upstream.send(request).await?.into_parts();
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    for name in &RESPONSE_HEADERS {
        for value in answer.headers.get_all(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    if let Some(location) = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()) {
        if let Some(order) =
            location.strip_prefix("/orders/").and_then(|id| OrderId::parse(id).ok())
        {
            about_order(&order, None);
        }
        // The service knows its own paths only.
        let outside = format!("{}{}", to.outside, location.trim_start_matches(to.inside));
        if let Ok(location) = HeaderValue::try_from(outside) {
            response.headers_mut().insert(header::LOCATION, location);
        }
    }
    Ok(response)
}
