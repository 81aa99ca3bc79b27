use std::ops::Deref;

use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, request};
use obs_core::context::RequestContext;
use obs_core::problem::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::ProblemResponse;

/// The record of the request being handled, to add fields, metrics, tenant and user.
///
/// Rejects with 500 where no [`ObserveLayer`](crate::observe::ObserveLayer) is in place.
///
/// ```
/// use obs_core::metric::{Descriptor, Unit};
/// use obs_tower::axum::Record;
///
/// static ITEMS: Descriptor = Descriptor::new("ItemsOrdered", Unit::Count, "Items in an order");
///
/// async fn place(record: Record) {
///     record.record("payment", "invoice");
///     record.metric(&ITEMS, 3.0);
///     record.set_tenant_id("acme");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Record(pub RequestContext);

impl Deref for Record {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Record {
    type Rejection = ProblemResponse;

    async fn from_request_parts(_: &mut request::Parts, _: &S) -> Result<Self, ProblemResponse> {
        RequestContext::current().map(Self).ok_or_else(|| {
            let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR);
            problem.detail("the handler asks for a record, but no ObserveLayer is in place").into()
        })
    }
}

/// axum's [`Json`](axum::Json), whose rejections are problem details.
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use obs_tower::axum::Json;
///
/// // What is no such JSON is answered with a problem document.
/// async fn place(Json(items): Json<Vec<u64>>) -> Json<u64> {
///     Json(items.into_iter().sum())
/// }
/// let app: Router = Router::new().route("/orders", post(place));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, ProblemResponse> {
        match <axum::Json<T> as FromRequest<S>>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(rejected(rejection.status(), rejection.body_text())),
        }
    }
}

/// Without a body, without a value; what is there must be right.
impl<T, S> OptionalFromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ProblemResponse> {
        let json = <axum::Json<T> as OptionalFromRequest<S>>::from_request(request, state).await;
        match json {
            Ok(json) => Ok(json.map(|axum::Json(value)| Self(value))),
            Err(rejection) => Err(rejected(rejection.status(), rejection.body_text())),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// axum's [`Path`](axum::extract::Path), whose rejections are problem details.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use obs_tower::axum::{Json, Path};
///
/// async fn order(Path(id): Path<u64>) -> Json<u64> {
///     Json(id)
/// }
/// let app: Router = Router::new().route("/orders/{id}", get(order));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ProblemResponse;

    async fn from_request_parts(
        parts: &mut request::Parts,
        state: &S,
    ) -> Result<Self, ProblemResponse> {
        let path =
            <axum::extract::Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await;
        match path {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(rejected(rejection.status(), rejection.body_text())),
        }
    }
}

/// axum's [`Query`](axum::extract::Query), whose rejections are problem details.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use obs_tower::axum::{Json, Query};
///
/// async fn list(Query(page): Query<std::collections::BTreeMap<String, u32>>) -> Json<u32> {
///     Json(page.get("page").copied().unwrap_or(1))
/// }
/// let app: Router = Router::new().route("/orders", get(list));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ProblemResponse;

    async fn from_request_parts(
        parts: &mut request::Parts,
        state: &S,
    ) -> Result<Self, ProblemResponse> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(rejected(rejection.status(), rejection.body_text())),
        }
    }
}

fn rejected(status: StatusCode, detail: String) -> ProblemResponse {
    Problem::new(status).detail(detail).into()
}
