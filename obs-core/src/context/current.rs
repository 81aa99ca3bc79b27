use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;

use super::RequestContext;
use crate::deadline::Deadline;
use crate::id::SpanId;
use crate::telemetry::Telemetry;

thread_local! {
    static CURRENT: RefCell<Captured> = const { RefCell::new(Captured::nothing()) };
}

/// What the code that runs now belongs to: a request, or a telemetry without one, and the span.
///
/// Taken by [`Captured::current`] and carried to where the work goes on: another task, another
/// thread, a callback. Cloning is cheap.
///
/// ```
/// use obs_core::context::Captured;
///
/// let captured = Captured::current();
/// let thread = std::thread::spawn(move || captured.run(|| "as if it ran over there"));
/// # thread.join().unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Captured {
    owner: Owner,
    span: Option<SpanId>,
}

#[derive(Clone, Default)]
enum Owner {
    #[default]
    Nobody,
    Telemetry(Telemetry),
    Request(RequestContext),
}

impl Captured {
    const fn nothing() -> Self {
        Self { owner: Owner::Nobody, span: None }
    }

    /// What runs now on this thread.
    #[must_use]
    pub fn current() -> Self {
        look(|slot| slot.clone())
    }

    /// Runs `work` as part of it.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let _guard = self.enter();
        work()
    }

    /// Makes it the current one until the guard is dropped.
    #[must_use = "it ends when the guard is dropped"]
    pub fn enter(&self) -> ContextGuard {
        self.clone().into_current()
    }

    /// Makes it the current one until the guard is dropped.
    pub(super) fn into_current(mut self) -> ContextGuard {
        swap(&mut self);
        ContextGuard { previous: self, not_send: PhantomData }
    }

    /// The request, if there is one.
    ///
    /// ```
    /// use obs_core::context::{Captured, RequestContext};
    /// use obs_core::telemetry::Telemetry;
    ///
    /// assert!(Captured::current().request().is_none());
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// let _entered = request.enter();
    /// assert_eq!(Captured::current().request().map(|r| r.trace_id()), Some(request.trace_id()));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn request(&self) -> Option<&RequestContext> {
        match &self.owner {
            Owner::Request(request) => Some(request),
            _ => None,
        }
    }

    /// The request's telemetry, else the one entered without a request.
    #[must_use]
    pub fn telemetry(&self) -> Option<&Telemetry> {
        match &self.owner {
            Owner::Nobody => None,
            Owner::Telemetry(telemetry) => Some(telemetry),
            Owner::Request(request) => Some(request.telemetry()),
        }
    }

    /// The innermost span that is entered, else the request's.
    ///
    /// ```
    /// use obs_core::context::Captured;
    ///
    /// // Outside of any request.
    /// assert_eq!(Captured::current().span_id(), None);
    /// ```
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        self.span.or_else(|| self.request().map(RequestContext::span_id))
    }
}

impl From<RequestContext> for Captured {
    fn from(request: RequestContext) -> Self {
        Self { owner: Owner::Request(request), span: None }
    }
}

impl From<Telemetry> for Captured {
    fn from(telemetry: Telemetry) -> Self {
        Self { owner: Owner::Telemetry(telemetry), span: None }
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("request", &self.request())
            .field("span_id", &self.span_id())
            .finish_non_exhaustive()
    }
}

/// Keeps a context current on this thread until it is dropped.
///
/// Do not hold it across an `.await`: other tasks would run in its context. Use
/// [`Scoped`](super::Scoped) for futures.
///
/// ```
/// use obs_core::context::RequestContext;
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// let guard = request.enter();
/// assert!(RequestContext::current().is_some());
/// drop(guard);
/// assert!(RequestContext::current().is_none());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct ContextGuard {
    previous: Captured,
    /// The slot belongs to the thread.
    not_send: PhantomData<*const ()>,
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        swap(&mut self.previous);
    }
}

/// Swaps a context into the thread's slot, and back on drop, also during a panic.
pub(super) struct Entered<'a> {
    context: &'a mut Captured,
}

impl<'a> Entered<'a> {
    pub(super) fn new(context: &'a mut Captured) -> Self {
        swap(context);
        Self { context }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.context);
    }
}

/// The span in which the current code runs: the innermost that is entered, else the request's.
///
/// ```
/// use obs_core::context::{RequestContext, current_span_id};
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// let _entered = request.enter();
/// assert_eq!(current_span_id(), Some(request.span_id()));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[must_use]
pub fn current_span_id() -> Option<SpanId> {
    look(Captured::span_id)
}

/// Makes `span` the current one within the current request until the guard is dropped.
///
/// Lines written meanwhile carry its id, and outgoing calls name it as their parent.
///
/// ```
/// use obs_core::context::{RequestContext, current_span_id, enter_span};
/// use obs_core::id::SpanId;
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// let _entered = request.enter();
/// let child = SpanId::new(7).expect("not zero");
/// {
///     let _inside = enter_span(child);
///     assert_eq!(current_span_id(), Some(child));
/// }
/// assert_eq!(current_span_id(), Some(request.span_id()));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[must_use = "it ends when the guard is dropped"]
pub fn enter_span(span: SpanId) -> SpanGuard {
    SpanGuard { previous: replace_span(Some(span)), not_send: PhantomData }
}

/// Keeps a span current on this thread until it is dropped.
///
/// ```
/// use obs_core::context::{SpanGuard, enter_span};
/// use obs_core::id::SpanId;
///
/// fn work_inside(span: SpanId) {
///     let _guard: SpanGuard = enter_span(span);
///     // What is written here has the span's id.
/// }
/// work_inside(SpanId::new(7).expect("not zero"));
/// ```
#[derive(Debug)]
pub struct SpanGuard {
    previous: Option<SpanId>,
    not_send: PhantomData<*const ()>,
}

impl Drop for SpanGuard {
    fn drop(&mut self) {
        replace_span(self.previous);
    }
}

/// Sets the current span and returns the one before; `None` stands for the request's.
///
/// For subscribers, which learn of a span's entry and exit separately; other code is safer with
/// [`enter_span`].
///
/// ```
/// use obs_core::context::{RequestContext, current_span_id, replace_span};
/// use obs_core::id::SpanId;
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// let _entered = request.enter();
/// let before = replace_span(SpanId::new(7));
/// assert_eq!(current_span_id(), SpanId::new(7));
/// replace_span(before);
/// assert_eq!(current_span_id(), Some(request.span_id()));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub fn replace_span(span: Option<SpanId>) -> Option<SpanId> {
    CURRENT.try_with(|slot| mem::replace(&mut slot.borrow_mut().span, span)).unwrap_or_default()
}

/// Exchanges the slot of this thread with `other`.
///
/// A future swaps its own state in for the time of a poll, so a poll touches no reference count.
fn swap(other: &mut Captured) {
    // While a thread shuts down the slot may be gone, and then nothing is current any more.
    let _ = CURRENT.try_with(|slot| mem::swap(&mut *slot.borrow_mut(), other));
}

/// Looks at what runs now on this thread without taking a part in it; `read` must not run code of
/// others, which might want to swap it.
pub(crate) fn look<R: Default>(read: impl FnOnce(&Captured) -> R) -> R {
    CURRENT.try_with(|slot| read(&slot.borrow())).unwrap_or_default()
}

pub(super) fn current_request() -> Option<RequestContext> {
    look(|slot| slot.request().cloned())
}

/// The deadline with which the current request came.
///
/// ```
/// use std::time::Duration;
/// use obs_core::clock::Clock;
/// use obs_core::context::{RequestContext, current_deadline};
/// use obs_core::deadline::Deadline;
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let deadline = Deadline::after(Clock::system().now(), Duration::from_secs(2));
/// let request = RequestContext::builder(&telemetry).deadline(deadline).build();
/// assert_eq!(current_deadline(), None);
/// let _current = request.enter();
/// assert_eq!(current_deadline(), Some(deadline));
/// # Ok::<_, obs_core::config::ConfigError>(())
/// ```
#[must_use]
pub fn current_deadline() -> Option<Deadline> {
    look(|slot| slot.request().and_then(RequestContext::deadline))
}

pub(super) fn current_telemetry() -> Option<Telemetry> {
    look(|slot| slot.telemetry().cloned())
}

/// The innermost span that is entered, if `request` is the current one.
pub(super) fn current_span_of(request: &RequestContext) -> Option<SpanId> {
    look(|slot| slot.request().is_some_and(|current| current.is(request)).then(|| slot.span_id()))
        .flatten()
}
