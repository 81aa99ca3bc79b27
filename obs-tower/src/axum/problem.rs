use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri};
use obs_core::context::RequestContext;
use obs_core::problem::Problem;

/// Problem details as a response, with the correlation id of the request they belong to.
///
/// ```
/// use http::StatusCode;
/// use obs_core::problem::Problem;
/// use obs_tower::axum::ProblemResponse;
///
/// async fn handler() -> Result<String, ProblemResponse> {
///     Err(Problem::new(StatusCode::CONFLICT).detail("prod-001 has 2 left").into())
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ProblemResponse(pub Problem);

impl From<Problem> for ProblemResponse {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let id =
            RequestContext::with_current(|context| context.correlation_id().as_str().to_owned());
        let problem = match id {
            Some(id) => self.0.with("correlation_id", id),
            None => self.0,
        };
        problem.into_response::<Body>()
    }
}

/// The handler for requests that no route matches.
///
/// ```
/// use axum::Router;
///
/// let app: Router = Router::new().fallback(obs_tower::axum::not_found);
/// ```
pub async fn not_found(uri: Uri) -> ProblemResponse {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND).detail(detail).into()
}

/// The handler for requests whose route knows another method.
///
/// ```
/// use axum::Router;
///
/// let app: Router =
///     Router::new().method_not_allowed_fallback(obs_tower::axum::method_not_allowed);
/// ```
pub async fn method_not_allowed(method: Method) -> ProblemResponse {
    let detail = format!("{method} is not possible here");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED).detail(detail).into()
}
