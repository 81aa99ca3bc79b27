use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use obs_core::clock::{Clock, Instant};
use pin_project_lite::pin_project;

use super::hold::Hold;
use super::ticket::Ticket;
use crate::exchange::{End, PanicMessage, Progress};

pin_project! {
    /// The response body of [`Observe`](super::Observe): the inner body, watched to its end.
    ///
    /// Forwards `size_hint` and `is_end_stream`, passes frames and errors on unchanged, and polls
    /// the inner body within the request's context.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::observe::ObserveLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let layer = ObserveLayer::new(Telemetry::builder("orders").build()?);
    /// let service = layer.layer(service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"[7]"))))
    /// }));
    /// let response = service.oneshot(Request::new(())).await?;
    /// assert_eq!(layer.in_flight().count(), 1);
    /// // The request ends with the last byte of its response.
    /// response.into_body().collect().await?;
    /// assert_eq!(layer.in_flight().count(), 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub struct ResponseBody<B> {
        #[pin]
        source: Source<B>,
        hold: Hold,
        watch: Option<Watch>,
    }

    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(watch) = this.watch.as_ref() {
                // What the body drops belongs to the request too.
                let _entered = watch.ticket.context().enter();
                this.source.set(Source::Answer { bytes: None });
            }
        }
    }
}

pin_project! {
    #[project = SourceProjection]
    enum Source<B> {
        Inner { #[pin] body: B },
        // The answer to a panic.
        Answer { bytes: Option<Bytes> },
    }
}

/// What must still be seen before the request has ended.
pub(super) struct Watch {
    ticket: Ticket,
    progress: Progress,
}

impl Watch {
    pub(super) fn new(ticket: Ticket, progress: Progress) -> Self {
        Self { ticket, progress }
    }

    /// Ends the request, if `watch` still stands.
    fn finish(watch: &mut Option<Self>, end: End, at: Instant) {
        if let Some(watch) = watch.take() {
            watch.ticket.finish(end, at);
        }
    }

    fn clock(&self) -> &Clock {
        self.ticket.observer().clock()
    }

    fn frame<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool, now: Instant) -> Option<End> {
        if let Some(data) = frame.data_ref() {
            self.ticket.update(|recording| recording.sent(data, now));
        }
        self.progress.frame(frame, is_last)
    }
}

impl<B> ResponseBody<B> {
    /// A body that is passed on unwatched, because its request has already ended.
    pub(super) fn unwatched(body: B) -> Self {
        Self { source: Source::Inner { body }, hold: Hold::default(), watch: None }
    }
}

impl<B: Body> ResponseBody<B>
where
    B::Data: 'static,
{
    /// A body that is watched to its end, which may be now: when its headers are there.
    pub(super) fn watched(body: B, headers_at: Instant, watch: Watch) -> Self {
        let hold = Hold::new(headers_at, watch.ticket.observer().config().max_hold);
        let end = body.is_end_stream().then(|| watch.progress.end_of_stream());
        let mut watch = Some(watch);
        if let Some(end) = end {
            Watch::finish(&mut watch, end, headers_at);
        }
        Self { source: Source::Inner { body }, hold, watch }
    }

    /// The body of the response to a panic; empty if the chunks of `B` are not [`Bytes`].
    pub(super) fn answer(bytes: Bytes) -> Self {
        let can_carry = TypeId::of::<B::Data>() == TypeId::of::<Bytes>() && !bytes.is_empty();
        let bytes = can_carry.then_some(bytes);
        Self { source: Source::Answer { bytes }, hold: Hold::default(), watch: None }
    }
}

impl<B: Body> Body for ResponseBody<B>
where
    B::Data: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut body = match this.source.project() {
            SourceProjection::Inner { body } => body,
            SourceProjection::Answer { bytes } => {
                return Poll::Ready(
                    bytes.take().and_then(as_data).map(|data| Ok(Frame::data(data))),
                );
            }
        };
        let Some(watch) = this.watch.as_mut() else { return body.poll_frame(context) };
        let polled = {
            let _entered = watch.ticket.context().enter();
            catch_unwind(AssertUnwindSafe(|| body.as_mut().poll_frame(context)))
        };
        let mut at = None;
        let end = match &polled {
            Err(payload) => Some(End::Panicked(PanicMessage::of(payload.as_ref()))),
            Ok(Poll::Pending) => this.hold.poll(watch.clock(), context).then_some(End::Held),
            Ok(Poll::Ready(None)) => Some(watch.progress.end_of_stream()),
            Ok(Poll::Ready(Some(Err(_)))) => Some(End::BodyError(type_name::<B::Error>())),
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                // Read once for all that is asked of a frame: when the first came, the last, and
                // whether that is late.
                let now = watch.clock().now();
                at = Some(now);
                let end = watch.frame(frame, body.is_end_stream(), now);
                end.or_else(|| this.hold.is_over(now).then_some(End::Held))
            }
        };
        if let Some(end) = end {
            let at = at.unwrap_or_else(|| watch.clock().now());
            Watch::finish(this.watch, end, at);
        }
        Poll::Ready(ready!(polled.unwrap_or_else(|payload| resume_unwind(payload))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Inner { body } => body.is_end_stream(),
            Source::Answer { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Inner { body } => body.size_hint(),
            Source::Answer { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}

/// `bytes` as a chunk of a body, if the body's chunks are [`Bytes`].
pub(super) fn as_data<D: 'static>(bytes: Bytes) -> Option<D> {
    let mut chunk: Option<D> = None;
    *(&mut chunk as &mut dyn Any).downcast_mut::<Option<Bytes>>()? = Some(bytes);
    chunk
}

impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::unwatched(B::default())
    }
}

impl<B: fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ResponseBody");
        match &self.source {
            Source::Inner { body } => debug.field("inner", body),
            Source::Answer { bytes } => debug.field("answer", bytes),
        };
        debug.field("watched", &self.watch.is_some()).finish()
    }
}
