use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use obs_core::context::Scoped;
use pin_project_lite::pin_project;

use super::body::ResponseBody;
use super::config::PanicPolicy;
use super::respond;
use super::ticket::Ticket;
use crate::exchange::{End, PanicMessage};

pin_project! {
    /// The response future of [`Observe`](super::Observe).
    ///
    /// Dropping it before it is ready records that the client went away before the headers, or
    /// that the deadline passed if it had.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::observe::ObserveLayer;
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let layer = ObserveLayer::new(Telemetry::builder("orders").build()?);
    /// let mut service = layer.layer(service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
    /// }));
    /// // Dropped before it is ready, the request was cancelled, and its line says so.
    /// let future = service.call(Request::new(()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
        ticket: Option<Ticket>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Running { #[pin] future: Scoped<F> },
        // The service panicked: already when it was called, if there is a payload.
        Panicked { payload: Option<Payload> },
    }
}

type Payload = Box<dyn Any + Send>;

impl<F> ResponseFuture<F> {
    /// The future of a call, or the panic that was all it gave.
    pub(super) fn new(called: Result<F, Payload>, ticket: Ticket) -> Self {
        let state = match called {
            Ok(future) => State::Running { future: ticket.context().scope(future) },
            Err(payload) => State::Panicked { payload: Some(payload) },
        };
        Self { state, ticket: Some(ticket) }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    B::Data: 'static,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = match this.state.as_mut().project() {
            StateProjection::Running { future } => {
                catch_unwind(AssertUnwindSafe(|| future.poll(context)))
            }
            StateProjection::Panicked { payload } => match payload.take() {
                Some(payload) => Err(payload),
                None => return Poll::Pending,
            },
        };
        let payload = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => return Poll::Ready(conclude(this.ticket.take(), result)),
            Err(payload) => payload,
        };
        // What the panic left half done is dropped here, within the context.
        this.state.set(State::Panicked { payload: None });
        let Some(ticket) = this.ticket.take() else { resume_unwind(payload) };
        match ticket.observer().config().panic_policy {
            PanicPolicy::Answer => Poll::Ready(Ok(respond::to_panic(ticket, payload.as_ref()))),
            PanicPolicy::Resume => {
                ticket.finish_now(End::Panicked(PanicMessage::of(payload.as_ref())));
                resume_unwind(payload)
            }
        }
    }
}

fn conclude<B, E>(
    ticket: Option<Ticket>,
    result: Result<Response<B>, E>,
) -> Result<Response<ResponseBody<B>>, E>
where
    B: Body,
    B::Data: 'static,
{
    match (result, ticket) {
        (Ok(response), Some(ticket)) => Ok(respond::observed(ticket, response)),
        (Ok(response), None) => Ok(response.map(ResponseBody::unwatched)),
        (Err(error), Some(ticket)) => {
            ticket.finish_now(End::ServiceError(type_name::<E>()));
            Err(error)
        }
        (Err(error), None) => Err(error),
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}
