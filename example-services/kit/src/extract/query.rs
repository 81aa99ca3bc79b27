use axum::extract::{FromRequestParts, Query as AxumQuery};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// The query. One that breaks a rule is refused with 400.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match AxumQuery::from_request_parts(parts, state).await {
            Ok(AxumQuery(value)) => Ok(Self(value)),
            Err(rejection) => Err(Failure::status(StatusCode::BAD_REQUEST, rejection.body_text())),
        }
    }
}
