use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::Captured;
use super::current::Entered;

pin_project! {
    /// A future or stream that runs in a context, wherever and by whatever executor it is polled.
    ///
    /// The context is current during each poll and while the inner value is dropped, and at no
    /// other time. Nothing is boxed.
    ///
    /// ```
    /// use obs_core::context::{RequestContext, Scoped};
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// let _entered = request.enter();
    /// // Carries whatever is current here to wherever it is polled.
    /// let task = Scoped::new(async { RequestContext::current().is_some() }, obs_core::context::Captured::current());
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// assert!(std::thread::spawn(move || runtime.block_on(task)).join().unwrap());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub struct Scoped<F> {
        // Emptied as soon as the future has ended, so that its drop runs in the context too.
        #[pin]
        inner: Option<F>,
        context: Captured,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                let _entered = Entered::new(this.context);
                this.inner.set(None);
            }
        }
    }
}

impl<F> Scoped<F> {
    /// Lets `inner` run in `context`.
    pub fn new(inner: F, context: impl Into<Captured>) -> Self {
        Self { inner: Some(inner), context: context.into() }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    /// Pending for ever once the inner future has ended.
    fn poll(self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = Entered::new(this.context);
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
        let output = std::task::ready!(inner.poll(waker));
        this.inner.set(None);
        Poll::Ready(output)
    }
}

impl<S: Stream> Stream for Scoped<S> {
    type Item = S::Item;

    /// Ends for ever once the inner stream has ended.
    fn poll_next(self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let _entered = Entered::new(this.context);
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let item = std::task::ready!(inner.poll_next(waker));
        if item.is_none() {
            this.inner.set(None);
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("context", &self.context).finish_non_exhaustive()
    }
}

/// Carries the current context along with a future or stream.
///
/// ```
/// use obs_core::context::{InCurrentContext, RequestContext};
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// let entered = request.enter();
/// let later = async { RequestContext::current().is_some() }.in_current_context();
/// drop(entered);
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// assert!(later.await);
/// # });
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub trait InCurrentContext: Sized {
    /// Runs in the context that is current now, wherever it is polled.
    ///
    /// ```
    /// use obs_core::context::InCurrentContext;
    ///
    /// # fn spawn(_: impl std::future::Future<Output = ()> + Send + 'static) {}
    /// spawn(async { /* lines written here carry this request's ids */ }.in_current_context());
    /// ```
    fn in_current_context(self) -> Scoped<Self> {
        Scoped::new(self, Captured::current())
    }
}

impl<F> InCurrentContext for F {}

/// Lets a closure run in the context that is current now, on whatever thread it is called.
///
/// ```
/// let work = obs_core::context::wrap(|| 2 + 2);
/// assert_eq!(std::thread::spawn(work).join().unwrap(), 4);
/// ```
pub fn wrap<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let context = Captured::current();
    move || context.run(work)
}
