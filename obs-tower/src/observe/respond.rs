//! What becomes of a response on its way out.

use std::any::Any;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use obs_core::outcome::{Outcome, Rejection};
use obs_core::problem::Problem;
use obs_core::propagate::{field, header_value};

use super::body::{ResponseBody, Watch};
use super::recording::ResponseHead;
use super::ticket::Ticket;
use crate::exchange::{End, GrpcStatus, PanicMessage, Progress};

/// Takes note of the response, echoes the correlation id, and watches the body if one follows.
pub(super) fn observed<B>(ticket: Ticket, response: Response<B>) -> Response<ResponseBody<B>>
where
    B: Body,
    B::Data: 'static,
{
    let (mut parts, body) = response.into_parts();
    let at = ticket.observer().clock().now();
    let progress = Progress::new(&parts.headers);
    let verdict = verdict(&parts.extensions);
    let head = ResponseHead { at, status: parts.status, verdict, grpc_status: None };
    let logging = ticket.observer().config().response_body.as_ref();
    let capture = logging.and_then(|logging| logging.capture(&parts.headers));
    let mut end = None;
    ticket.update(|recording| {
        end = progress.end_at_headers(recording.method, parts.status, &parts.headers);
        recording.answered(head, capture);
    });
    echo(&ticket, &mut parts.headers);

    let body = match end {
        Some(end) => {
            ticket.finish(end, at);
            ResponseBody::unwatched(body)
        }
        None => ResponseBody::watched(body, at, Watch::new(ticket, progress)),
    };
    Response::from_parts(parts, body)
}

/// Answers a panic: 500 with problem details, or the status `INTERNAL` if the caller speaks gRPC.
pub(super) fn to_panic<B>(ticket: Ticket, payload: &(dyn Any + Send)) -> Response<ResponseBody<B>>
where
    B: Body,
    B::Data: 'static,
{
    let mut is_grpc = false;
    ticket.update(|recording| is_grpc = recording.is_grpc);
    let mut response = if is_grpc {
        let mut response = Response::new(Bytes::new());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static("13"));
        response
    } else {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
            .with("correlation_id", ticket.context().correlation_id().as_str())
            .into_response()
    };
    echo(&ticket, response.headers_mut());
    let at = ticket.observer().clock().now();
    let head = ResponseHead {
        at,
        status: response.status(),
        verdict: None,
        grpc_status: GrpcStatus::from_headers(response.headers()),
    };
    let response = response.map(ResponseBody::answer);
    ticket.update(|recording| {
        recording.answered(head, None);
        recording.response_bytes = response.body().size_hint().exact().unwrap_or_default();
    });
    ticket.finish(End::Panicked(PanicMessage::of(payload)), at);
    response
}

/// What a layer within has said about this response: a limit that refused it, a time limit that
/// ended it.
fn verdict(extensions: &http::Extensions) -> Option<Outcome> {
    let refused = || extensions.get::<Rejection>().copied().map(Outcome::Rejected);
    extensions.get::<Outcome>().copied().or_else(refused)
}

fn echo(ticket: &Ticket, headers: &mut HeaderMap) {
    if let Some(id) = header_value(ticket.context().correlation_id().as_bytes()) {
        headers.insert(&field::X_CORRELATION_ID, id);
    }
}
