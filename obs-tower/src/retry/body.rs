use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// A request body that can be sent again.
///
/// What passes is kept, up to a bound; chunks are shared, not copied. Sent again, it yields what
/// was kept and then goes on with what the attempt before did not get to. Past the bound nothing is
/// kept, and the body cannot be sent again.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::{BodyExt, Full};
/// use obs_tower::retry::ReplayBody;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let first = ReplayBody::new(Full::new(Bytes::from_static(b"hello")), 1024);
/// let second = first.replay().expect("it is short");
/// assert!(second.can_be_sent());
/// assert_eq!(first.collect().await.unwrap().to_bytes(), "hello");
/// assert_eq!(second.collect().await.unwrap().to_bytes(), "hello");
/// assert!(ReplayBody::once(Full::new(Bytes::from_static(b"hello"))).replay().is_none());
/// # });
/// ```
pub struct ReplayBody<B> {
    source: Source<B>,
    sent: u64,
}

enum Source<B> {
    /// A body that is sent once, or that has nothing to send.
    Once(B),
    /// The same for the copy of a body that has nothing to send.
    Nothing,
    Replayed {
        shared: Arc<Shared<B>>,
        live: Option<B>,
        position: usize,
    },
}

struct Shared<B> {
    kept: Mutex<Kept<B>>,
    most: usize,
    hint: SizeHint,
}

struct Kept<B> {
    chunks: Vec<Bytes>,
    bytes: usize,
    trailers: Option<HeaderMap>,
    /// The body between two attempts.
    rest: Option<B>,
    end: End,
    /// An attempt that has caught up with one that still reads.
    waiting: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Reached,
    /// Too long, or failed: not all of it is kept.
    Lost,
}

impl<B: Body<Data = Bytes> + Unpin> ReplayBody<B> {
    /// A body that is sent once.
    pub const fn once(body: B) -> Self {
        Self { source: Source::Once(body), sent: 0 }
    }

    /// A body of which up to `most` bytes are kept to be sent again.
    pub fn new(body: B, most: usize) -> Self {
        let hint = body.size_hint();
        if body.is_end_stream() || hint.lower() > most as u64 {
            return Self::once(body);
        }
        let kept = Kept {
            chunks: Vec::new(),
            bytes: 0,
            trailers: None,
            rest: None,
            end: End::NotYet,
            waiting: None,
        };
        let shared = Arc::new(Shared { kept: Mutex::new(kept), most, hint });
        Self { source: Source::Replayed { shared, live: Some(body), position: 0 }, sent: 0 }
    }

    /// The same body from its beginning; `None` if it can only be sent once.
    #[must_use]
    pub fn replay(&self) -> Option<Self> {
        let source = match &self.source {
            Source::Nothing => Source::Nothing,
            Source::Once(body) if self.sent == 0 && body.is_end_stream() => Source::Nothing,
            Source::Once(_) => return None,
            Source::Replayed { shared, .. } => {
                Source::Replayed { shared: Arc::clone(shared), live: None, position: 0 }
            }
        };
        Some(Self { source, sent: 0 })
    }

    /// Whether everything that was sent so far can be sent again.
    #[must_use]
    pub fn can_be_sent(&self) -> bool {
        match &self.source {
            Source::Once(_) | Source::Nothing => true,
            Source::Replayed { shared, .. } => shared.lock().end != End::Lost,
        }
    }
}

impl<B> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, Kept<B>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Kept<B> {
    fn lose(&mut self) {
        self.end = End::Lost;
        self.chunks = Vec::new();
        self.trailers = None;
    }

    fn keep<E>(&mut self, frame: Option<&Result<Frame<Bytes>, E>>, most: usize) {
        match frame {
            _ if self.end == End::Lost => {}
            None => self.end = End::Reached,
            Some(Err(_)) => self.lose(),
            Some(Ok(frame)) => {
                if let Some(chunk) = frame.data_ref() {
                    self.bytes += chunk.len();
                    if self.bytes > most {
                        self.lose();
                    } else {
                        self.chunks.push(chunk.clone());
                    }
                } else if let Some(trailers) = frame.trailers_ref() {
                    self.trailers = Some(trailers.clone());
                    self.end = End::Reached;
                }
            }
        }
    }
}

/// Sends what was kept, then takes the body over.
fn poll_replay<B: Body<Data = Bytes> + Unpin>(
    shared: &Shared<B>,
    live: &mut Option<B>,
    position: &mut usize,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
    if live.is_none() {
        let mut kept = shared.lock();
        if let Some(chunk) = kept.chunks.get(*position) {
            *position += 1;
            return Poll::Ready(Some(Ok(Frame::data(chunk.clone()))));
        }
        if kept.end == End::Reached {
            let first = *position == kept.chunks.len();
            *position = kept.chunks.len() + 1;
            let trailers = kept.trailers.clone().filter(|_| first);
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        *live = kept.rest.take();
        if live.is_none() {
            // The attempt before is still being taken down; it hands the body over when it is.
            kept.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        *position = kept.chunks.len();
    }
    let Some(body) = live else { return Poll::Pending };
    let frame = ready!(Pin::new(body).poll_frame(context));
    shared.lock().keep(frame.as_ref(), shared.most);
    *position += 1;
    Poll::Ready(frame)
}

impl<B: Body<Data = Bytes> + Unpin> Body for ReplayBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let frame = ready!(match &mut this.source {
            Source::Nothing => Poll::Ready(None),
            Source::Once(body) => Pin::new(body).poll_frame(context),
            Source::Replayed { shared, live, position } => {
                poll_replay(shared, live, position, context)
            }
        });
        if let Some(Ok(frame)) = &frame {
            this.sent += frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Nothing => true,
            Source::Once(body) | Source::Replayed { live: Some(body), .. } => body.is_end_stream(),
            Source::Replayed { shared, position, .. } => {
                let kept = shared.lock();
                kept.end == End::Reached
                    && *position >= kept.chunks.len()
                    && (kept.trailers.is_none() || *position > kept.chunks.len())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Nothing => SizeHint::with_exact(0),
            Source::Once(body) => body.size_hint(),
            Source::Replayed { shared, .. } => match shared.hint.exact() {
                Some(exact) => SizeHint::with_exact(exact.saturating_sub(self.sent)),
                None => SizeHint::default(),
            },
        }
    }
}

impl<B> Drop for ReplayBody<B> {
    fn drop(&mut self) {
        if let Source::Replayed { shared, live, .. } = &mut self.source
            && let Some(body) = mem::take(live)
        {
            let mut kept = shared.lock();
            kept.rest = Some(body);
            let waiting = kept.waiting.take();
            drop(kept);
            if let Some(waiting) = waiting {
                waiting.wake();
            }
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody").field("sent", &self.sent).finish_non_exhaustive()
    }
}
