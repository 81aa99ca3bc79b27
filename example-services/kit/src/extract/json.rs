use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Body;
use crate::failure::Failure;

/// A JSON document, in a request or an answer.
///
/// A body that is no JSON is refused with 400; one that is, but breaks a rule, with 422. The
/// content type is not looked at: whoever sends JSON means JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T> Json<T> {
    /// Reads a document.
    ///
    /// # Errors
    /// The [`Failure`] to answer.
    pub fn parse(bytes: &[u8]) -> Result<T, Failure>
    where
        T: DeserializeOwned,
    {
        serde_json::from_slice(bytes).map_err(|error| match error.classify() {
            Category::Data => Failure::unprocessable(shortened(error.to_string())),
            _ => Failure::status(
                StatusCode::BAD_REQUEST,
                format!("the body is not JSON: {}", shortened(error.to_string())),
            ),
        })
    }
}

/// The message may quote what the client sent, which may be long.
fn shortened(mut message: String) -> String {
    const LONGEST: usize = 300;
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push('…');
    }
    message
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let Body(bytes) = Body::from_request(request, state).await?;
        Self::parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let kind = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, kind)], body).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "answer cannot be written as JSON");
                Failure::status(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written")
                    .into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_sent_is_quoted_in_part_only() {
        let long = format!("\"{}\"", "ü".repeat(10_000));
        let failure = Json::<u32>::parse(long.as_bytes()).unwrap_err();
        let quoted = format!("{failure:?}").matches('ü').count();
        assert!((1..=300).contains(&quoted), "{quoted}");
        assert_eq!(failure.into_response().status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
