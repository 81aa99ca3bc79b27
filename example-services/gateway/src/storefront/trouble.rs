use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};
use obs_core::context::RequestContext;
use shop_kit::failure::Failure;
use shop_kit::upstream::{UpstreamError, UpstreamErrorKind};

use super::layout::View;

/// What went wrong, as a page tells it.
///
/// As a response it has no body yet: the layer around the pages writes it as the client can read
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    status: StatusCode,
    detail: String,
    correlation_id: Option<String>,
}

impl Trouble {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let correlation_id =
            RequestContext::with_current(|context| context.correlation_id().as_str().to_owned());
        Self { status, detail: detail.into(), correlation_id }
    }

    pub(crate) fn missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing under this address.")
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    fn heading(&self) -> &'static str {
        match self.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::CONFLICT => "That does not go",
            status if status.is_client_error() => "That was not understood",
            _ => "Please try again in a moment",
        }
    }
}

impl From<UpstreamError> for Trouble {
    /// What a service refuses is told in its words; what is the fault of a service in ours.
    fn from(error: UpstreamError) -> Self {
        if let UpstreamErrorKind::Refused(status, problem) = error.kind()
            && status.is_client_error()
            && *status != StatusCode::TOO_MANY_REQUESTS
        {
            let detail = problem.get("detail").and_then(|detail| detail.as_str());
            // Where in a document the fault is helps nobody who has filled in a form.
            let detail = detail.map(|detail| detail.split(" at line ").next().unwrap_or(detail));
            return Self::new(*status, detail.unwrap_or("The shop could not do that."));
        }
        Failure::from(error).into()
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let detail = match failure.code() {
            status if status.is_client_error() => "The shop could not read what your browser sent.",
            _ => "A part of the shop does not answer. Nothing of yours is lost.",
        };
        Self::new(failure.code(), detail)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

impl View for Trouble {
    fn title(&self) -> String {
        self.heading().to_owned()
    }

    fn html(&self) -> Markup {
        html! {
            h1 { (self.heading()) }
            p.lead role="alert" { (self.detail) }
            @if let Some(id) = &self.correlation_id {
                p.quiet { "If you ask us about it, name " code { (id) } "." }
            }
            p { a href="/" { "Back to the shop" } }
        }
    }

    fn text(&self) -> String {
        let id = self.correlation_id.as_ref().map(|id| format!("  correlation id: {id}\n"));
        format!("  {}: {}\n{}", self.status.as_u16(), self.detail, id.unwrap_or_default())
    }
}
