//! A body that is watched to its end.
//!
//! What a layer holds until a response has been sent (a record, a permit, a reservation) ends with
//! the last frame, with an error, or with the drop of the body, whichever comes first. [`Watched`]
//! sees to it that it ends once; a [`Watcher`] says what that means.
//!
//! ```
//! use bytes::{Buf, Bytes};
//! use http_body::Frame;
//! use http_body_util::Full;
//! use obs_core::body::{Watched, Watcher};
//!
//! struct Done;
//!
//! impl Watcher for Done {
//!     fn frame<D: Buf>(&mut self, _: &Frame<D>, is_last: bool) -> bool {
//!         is_last
//!     }
//!
//!     fn end(self, _failed: Option<&'static str>) {}
//! }
//!
//! let body = Watched::new(Full::new(Bytes::from_static(b"hello")), Done);
//! # let _ = body;
//! ```

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// What wants to know how a body ends.
///
/// It is dropped when the body is dropped before its end; what that means belongs into its `Drop`.
///
/// ```
/// use bytes::Buf;
/// use http_body::Frame;
/// use obs_core::body::Watcher;
///
/// /// Says on standard error how a body ended.
/// struct Tell;
///
/// impl Watcher for Tell {
///     fn frame<D: Buf>(&mut self, _: &Frame<D>, is_last: bool) -> bool {
///         is_last
///     }
///
///     fn end(self, failed: Option<&'static str>) {
///         eprintln!("{}", failed.unwrap_or("complete"));
///     }
/// }
/// ```
pub trait Watcher: Sized {
    /// Sees a frame as it passes, and says whether the body ends with it.
    ///
    /// `is_last` is what the body itself says: a reader may stop at its last frame and never ask
    /// for the end.
    fn frame<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool) -> bool;

    /// The body has ended; `failed` names the type of the error with which it did.
    fn end(self, failed: Option<&'static str>);
}

pin_project! {
    /// A body whose end a [`Watcher`] sees.
    ///
    /// Frames, errors, `size_hint` and `is_end_stream` pass unchanged. The body is dropped before
    /// its watcher.
    ///
    /// ```
    /// use bytes::{Buf, Bytes};
    /// use http_body::Frame;
    /// use http_body_util::{BodyExt, Full};
    /// use obs_core::body::{Watched, Watcher};
    ///
    /// struct Count(usize);
    ///
    /// impl Watcher for Count {
    ///     fn frame<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool) -> bool {
    ///         self.0 += frame.data_ref().map_or(0, Buf::remaining);
    ///         is_last
    ///     }
    ///
    ///     fn end(self, failed: Option<&'static str>) {
    ///         assert_eq!((self.0, failed), (5, None));
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let body = Watched::new(Full::new(Bytes::from_static(b"hello")), Count(0));
    /// assert_eq!(body.collect().await?.to_bytes(), "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct Watched<B, W> {
        #[pin]
        inner: B,
        watcher: Option<W>,
    }
}

impl<B, W> Watched<B, W> {
    /// A body that is watched, or passed on without a watcher.
    pub fn new(inner: B, watcher: impl Into<Option<W>>) -> Self {
        Self { inner, watcher: watcher.into() }
    }

    /// Gives the inner body back; the watcher is dropped.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use obs_core::body::{Watched, Watcher};
    /// # struct Nobody;
    /// # impl Watcher for Nobody {
    /// #     fn frame<D: bytes::Buf>(&mut self, _: &http_body::Frame<D>, is_last: bool) -> bool { is_last }
    /// #     fn end(self, _: Option<&'static str>) {}
    /// # }
    ///
    /// let body = Watched::<_, Nobody>::new(Full::new(Bytes::from_static(b"hello")), None);
    /// assert_eq!(body.into_inner().into_inner(), Some(Bytes::from_static(b"hello")));
    /// ```
    pub fn into_inner(self) -> B {
        self.inner
    }
}

/// The body of an answer that somebody else gave; nobody watches it.
impl<B: From<Bytes>, W> From<Bytes> for Watched<B, W> {
    fn from(bytes: Bytes) -> Self {
        Self::new(B::from(bytes), None)
    }
}

impl<B: Body, W: Watcher> Body for Watched<B, W> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = ready!(this.inner.as_mut().poll_frame(context));
        let Some(watcher) = this.watcher.as_mut() else { return Poll::Ready(polled) };
        let (has_ended, failed) = match &polled {
            None => (true, None),
            Some(Err(_)) => (true, Some(type_name::<B::Error>())),
            Some(Ok(frame)) => (watcher.frame(frame, this.inner.is_end_stream()), None),
        };
        if has_ended && let Some(watcher) = this.watcher.take() {
            watcher.end(failed);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: fmt::Debug, W> fmt::Debug for Watched<B, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("inner", &self.inner)
            .field("watched", &self.watcher.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use super::*;

    /// Frames, an error for `None`, and whether the last of them is known to be it.
    struct Script(VecDeque<Option<&'static str>>, bool);

    #[derive(Debug)]
    struct Broken;

    impl Body for Script {
        type Data = Bytes;
        type Error = Broken;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
            let next = self.0.pop_front();
            Poll::Ready(next.map(|step| step.map(|text| Frame::data(text.into())).ok_or(Broken)))
        }

        fn is_end_stream(&self) -> bool {
            self.1 && self.0.is_empty()
        }
    }

    #[derive(Clone, Default)]
    struct Diary(Arc<Mutex<Vec<String>>>);

    impl Watcher for Diary {
        fn frame<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool) -> bool {
            let bytes = frame.data_ref().map_or(0, Buf::remaining);
            self.0.lock().unwrap().push(bytes.to_string());
            is_last
        }

        fn end(self, failed: Option<&'static str>) {
            let end = failed.and_then(|name| name.rsplit("::").next()).unwrap_or("end");
            self.0.lock().unwrap().push(end.to_owned());
        }
    }

    fn entries(steps: &[Option<&'static str>], knows_its_end: bool, polls: usize) -> Vec<String> {
        let diary = Diary::default();
        let script = Script(steps.iter().copied().collect(), knows_its_end);
        let mut body = Box::pin(Watched::new(script, diary.clone()));
        let mut task = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            let _ = body.as_mut().poll_frame(&mut task);
        }
        drop(body);
        diary.0.lock().unwrap().clone()
    }

    #[test]
    fn a_body_ends_once_whoever_says_so() {
        let steps = [Some("ab"), Some("c")];
        assert_eq!(entries(&steps, false, 5), ["2", "1", "end"]);
        assert_eq!(entries(&steps, true, 2), ["2", "1", "end"], "at its last frame");
        assert_eq!(entries(&steps, true, 5), ["2", "1", "end"]);
        assert_eq!(entries(&[Some("ab"), None, Some("c")], false, 5), ["2", "Broken"]);
    }

    #[test]
    fn a_body_that_is_dropped_drops_its_watcher() {
        assert_eq!(entries(&[Some("ab"), Some("c")], true, 1), ["2"]);
        let watcher = Diary::default();
        let body = Watched::new(Script(VecDeque::new(), false), watcher.clone());
        assert_eq!(Arc::strong_count(&watcher.0), 2);
        drop(body.into_inner());
        assert_eq!(Arc::strong_count(&watcher.0), 1);
    }
}
