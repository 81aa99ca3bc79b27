use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::level_filters::LevelFilter;

use super::recorded::Recorded;
use super::{Captured, ContextGuard, RequestContextBuilder, Scoped, current};
use crate::deadline::Deadline;
use crate::id::{CorrelationId, SpanId, TraceId};
use crate::log::{FlightRecorder, Ids};
use crate::propagate::{Baggage, TraceParent, TraceState, XrayExtras, is_identity};
use crate::telemetry::Telemetry;
use crate::trace::Attributes;

/// What is known of one request, from its arrival to its end; clones are the same request.
///
/// It follows the request through its future ([`RequestContext::scope`]) and is found there with
/// [`RequestContext::current`].
///
/// ```
/// use obs_core::context::RequestContext;
/// use obs_core::propagate::TrustPolicy;
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// let entered = request.enter();
///
/// // What code far below the entry knows, and may add to the one line of the request.
/// RequestContext::with_current(|request| {
///     assert!(request.set_tenant_id("acme"));
///     request.record("cart_items", 3_u64);
///     request.annotate("plan", "gold");
///     request.error("payment_declined");
/// });
/// let current = RequestContext::current().expect("it was entered");
/// assert_eq!(current.trace_id(), request.trace_id());
/// assert_eq!(current.tenant_id(), Some("acme"));
///
/// // What goes out with a call to a service of ours.
/// let mut headers = http::HeaderMap::new();
/// request.inject(&mut headers, &TrustPolicy::internal());
/// assert_eq!(headers["x-correlation-id"], request.correlation_id().as_str());
/// assert_eq!(headers["x-tenant-id"], "acme");
///
/// drop(entered);
/// assert!(RequestContext::current().is_none());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RequestContext(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) telemetry: Telemetry,
    pub(super) correlation_id: CorrelationId,
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent_span_id: Option<SpanId>,
    pub(super) sampled: bool,
    pub(super) random: bool,
    pub(super) trace_state: TraceState,
    pub(super) xray: XrayExtras,
    pub(super) links: Vec<TraceParent>,
    pub(super) deadline: Option<Deadline>,
    pub(super) attempt: Option<u32>,
    pub(super) debug: Option<Arc<str>>,
    pub(super) debug_level: Option<LevelFilter>,
    pub(super) tenant_id: OnceLock<Arc<str>>,
    pub(super) user_id: OnceLock<Arc<str>>,
    pub(super) baggage: Mutex<Baggage>,
    /// `None` until something is: most requests leave it so.
    pub(super) recorded: Mutex<Option<Box<Recorded>>>,
    /// Annotations for all spans of the request; most requests have none.
    pub(super) inherited: OnceLock<Box<Mutex<Attributes>>>,
    /// Boxed, as what most requests do not have should take little room.
    pub(super) flight_recorder: Option<Box<FlightRecorder>>,
}

impl RequestContext {
    /// Starts the description of a request that `telemetry` observes.
    pub fn builder(telemetry: &Telemetry) -> RequestContextBuilder {
        RequestContextBuilder::new(telemetry)
    }

    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The request that the current code works for; `None` outside of one.
    #[must_use]
    pub fn current() -> Option<Self> {
        current::current_request()
    }

    /// Calls `read` with the current request; `None` outside of one.
    pub fn with_current<R>(read: impl FnOnce(&Self) -> R) -> Option<R> {
        Self::current().as_ref().map(read)
    }

    /// Lets `future` run as part of this request.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let seen = request.scope(async { RequestContext::current().map(|current| current.trace_id()) });
    /// assert_eq!(seen.await, Some(request.trace_id()));
    /// # });
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn scope<F>(&self, future: F) -> Scoped<F> {
        Scoped::new(future, self.clone())
    }

    /// Makes this request the current one until the guard is dropped.
    #[must_use = "it ends when the guard is dropped"]
    pub fn enter(&self) -> ContextGuard {
        Captured::from(self.clone()).into_current()
    }

    /// The telemetry that observes it.
    #[inline]
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// The correlation id.
    #[inline]
    #[must_use]
    pub fn correlation_id(&self) -> &CorrelationId {
        &self.0.correlation_id
    }

    /// The trace.
    #[inline]
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.0.trace_id
    }

    /// The request's own span.
    #[inline]
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.0.span_id
    }

    /// The caller's span, if it told.
    #[inline]
    #[must_use]
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.0.parent_span_id
    }

    /// Whether its spans are exported.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).sampled(true).build();
    /// assert!(request.is_sampled());
    /// assert!(request.parent_span_id().is_none() && request.links().is_empty());
    /// assert!(request.trace_state().is_empty() && request.xray_extras().own().is_none());
    /// assert!(request.deadline().is_none() && request.attempt().is_none());
    /// assert!(request.debug_token().is_none() && request.debug_level().is_none());
    /// assert!(request.flight_recorder().is_none());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.sampled
    }

    /// What other tracing systems sent along.
    #[must_use]
    pub fn trace_state(&self) -> &TraceState {
        &self.0.trace_state
    }

    /// What else an `X-Amzn-Trace-Id` field carried.
    #[must_use]
    pub fn xray_extras(&self) -> &XrayExtras {
        &self.0.xray
    }

    /// Traces that belong to this one without being its parent.
    #[must_use]
    pub fn links(&self) -> &[TraceParent] {
        &self.0.links
    }

    /// The time by which the answer must be there.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.0.deadline
    }

    /// 1 for a first attempt; `None` if the caller did not tell.
    #[inline]
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        self.0.attempt
    }

    /// The signed request for more lines, as it arrived.
    #[must_use]
    pub fn debug_token(&self) -> Option<&str> {
        self.0.debug.as_deref()
    }

    /// The level down to which lines are written for this request, if it differs from the
    /// service's.
    #[must_use]
    pub fn debug_level(&self) -> Option<LevelFilter> {
        self.0.debug_level
    }

    /// The verbose lines kept until it is known how the request ends, if the service keeps them.
    #[inline]
    #[must_use]
    pub fn flight_recorder(&self) -> Option<&FlightRecorder> {
        self.0.flight_recorder.as_deref()
    }

    /// The tenant, as soon as it is known.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.0.tenant_id.get().map(AsRef::as_ref)
    }

    /// The user, as soon as it is known.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.0.user_id.get().map(AsRef::as_ref)
    }

    /// Names the tenant, once it is known, for lines and further calls.
    ///
    /// Returns whether it was taken over: not if a tenant is named already, nor if the text is not
    /// 1 to 128 bytes of `[A-Za-z0-9._:+/=@|~-]`.
    pub fn set_tenant_id(&self, tenant: impl Into<Arc<str>>) -> bool {
        set_identity(&self.0.tenant_id, tenant.into())
    }

    /// Names the user, as [`RequestContext::set_tenant_id`] does the tenant.
    pub fn set_user_id(&self, user: impl Into<Arc<str>>) -> bool {
        set_identity(&self.0.user_id, user.into())
    }

    /// The baggage.
    #[must_use]
    pub fn baggage(&self) -> Baggage {
        lock(&self.0.baggage).clone()
    }

    /// Sets one name of the baggage for further calls.
    ///
    /// Returns whether it was taken over: not if the name is no token, nor if the baggage would
    /// pass its limits.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// assert!(request.set_baggage("channel", "web"));
    /// assert_eq!(request.baggage().get("channel").as_deref(), Some("web"));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn set_baggage(&self, name: &str, value: &str) -> bool {
        let mut baggage = lock(&self.0.baggage);
        let changed = baggage.with(name, value);
        changed.map(|changed| *baggage = changed).is_some()
    }

    /// What lines of this request carry, with the span that is current now.
    ///
    /// ```
    /// use obs_core::context::{RequestContext, enter_span};
    /// use obs_core::id::SpanId;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// request.set_user_id("u-1");
    /// let _entered = request.enter();
    /// let _child = enter_span(SpanId::new(7).expect("not zero"));
    ///
    /// // Inside of a child, a line has the child's id; the line of the request has its own.
    /// assert_eq!(request.ids().span_id, SpanId::new(7));
    /// assert_eq!(request.current_span_id(), SpanId::new(7).expect("not zero"));
    /// assert_eq!(request.own_ids().span_id, Some(request.span_id()));
    /// assert_eq!(request.own_ids().user_id, request.user_id());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn ids(&self) -> Ids<'_> {
        Ids { span_id: Some(self.current_span_id()), ..self.own_ids() }
    }

    /// What the line about the request as a whole carries: the same, with the request's own span.
    #[must_use]
    pub fn own_ids(&self) -> Ids<'_> {
        Ids {
            correlation_id: Some(self.correlation_id()),
            trace_id: Some(self.trace_id()),
            span_id: Some(self.span_id()),
            tenant_id: self.tenant_id(),
            user_id: self.user_id(),
        }
    }

    /// The innermost span of this request that is entered on this thread, else its own.
    #[must_use]
    pub fn current_span_id(&self) -> SpanId {
        current::current_span_of(self).unwrap_or(self.0.span_id)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

fn set_identity(slot: &OnceLock<Arc<str>>, value: Arc<str>) -> bool {
    is_identity(value.as_bytes()) && slot.set(value).is_ok()
}

/// Nothing that runs under these locks leaves their content half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("correlation_id", self.correlation_id())
            .field("trace_id", &self.trace_id())
            .field("span_id", &self.span_id())
            .field("sampled", &self.is_sampled())
            .finish_non_exhaustive()
    }
}
