//! May this request pass: the seam between a limit and the guard that asks it.
//!
//! obs-ratelimit implements [`Admit`]; the fused guard of obs-tower asks it.
//!
//! ```
//! use obs_core::admit::{Admission, Permit};
//!
//! let passed = Admission::Admitted(Permit::new());
//! assert!(matches!(passed, Admission::Admitted(_)));
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, request};

use crate::outcome::Outcome;
use crate::problem::Problem;

/// A limit that is asked before a request's handler runs.
///
/// ```
/// use std::time::Duration;
///
/// use http::{StatusCode, request};
/// use obs_core::admit::{Admission, Admit, Permit, Refusal};
/// use obs_core::problem::Problem;
///
/// /// Lets reads pass and refuses everything else, as during a migration.
/// #[derive(Debug)]
/// struct ReadOnly;
///
/// impl Admit for ReadOnly {
///     fn admit(&self, request: &request::Parts) -> Admission {
///         if request.method.is_safe() {
///             return Admission::Admitted(Permit::new());
///         }
///         let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE).detail("reads only");
///         let refusal = Refusal::new("read-only", problem, Duration::from_secs(60));
///         Admission::Refused(Box::new(refusal))
///     }
/// }
///
/// let (write, _) = http::Request::post("/orders").body(()).unwrap().into_parts();
/// let Admission::Refused(refusal) = ReadOnly.admit(&write) else { panic!("it is a write") };
/// assert_eq!(&*refusal.policy, "read-only");
/// ```
pub trait Admit: Send + Sync + fmt::Debug + 'static {
    /// Decides about one request.
    ///
    /// Must not block. An answer that needs the network is [`Admission::Pending`]; everything
    /// else is answered at once and without allocation.
    fn admit(&self, request: &request::Parts) -> Admission;
}

/// The answer of [`Admit::admit`].
///
/// ```
/// use obs_core::admit::{Admission, Permit};
///
/// fn may_pass(admission: &Admission) -> &'static str {
///     match admission {
///         Admission::Admitted(_) => "yes",
///         Admission::Refused(_) => "no",
///         Admission::Pending(_) => "the store knows",
///     }
/// }
/// assert_eq!(may_pass(&Admission::Admitted(Permit::new())), "yes");
/// ```
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// The request may pass.
    Admitted(Permit),
    /// The request must not pass.
    Refused(Box<Refusal>),
    /// A store must be asked; dropping the future leaves the limit as it was.
    Pending(PendingAdmission),
}

/// An admission that waits for a store.
///
/// ```
/// use obs_core::admit::{Admission, PendingAdmission, Permit};
///
/// let asked = PendingAdmission::new(async { Admission::Admitted(Permit::new()) });
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// assert!(matches!(asked.await, Admission::Admitted(_)));
/// # });
/// ```
pub struct PendingAdmission(Pin<Box<dyn Future<Output = Admission> + Send>>);

impl PendingAdmission {
    /// Wraps the future that will answer; it must not answer `Pending`.
    pub fn new(future: impl Future<Output = Admission> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl Future for PendingAdmission {
    type Output = Admission;

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Admission> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for PendingAdmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingAdmission")
    }
}

/// What an admitted request holds until it ends.
///
/// Dropping it without [`Permit::settle`] counts as an abandoned request.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use obs_core::admit::Permit;
/// use obs_core::outcome::Outcome;
///
/// let headers = HeaderMap::from_iter([(
///     http::header::HeaderName::from_static("x-ratelimit-remaining"),
///     HeaderValue::from_static("41"),
/// )]);
/// let mut permit = Permit::new().with_headers(headers);
/// let added = permit.take_headers().expect("they were given");
/// assert_eq!(added["x-ratelimit-remaining"], "41");
/// permit.settle(Outcome::Success);
/// ```
#[derive(Debug, Default)]
pub struct Permit {
    settlement: Option<Box<dyn Settle>>,
    headers: Option<Box<HeaderMap>>,
}

/// What a limit does when a request it admitted has ended.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use obs_core::admit::{Permit, Settle};
/// use obs_core::outcome::Outcome;
///
/// /// Gives a place back, however the request ended.
/// #[derive(Debug)]
/// struct Place(Arc<AtomicU32>);
///
/// impl Settle for Place {
///     fn settle(self: Box<Self>, _: Option<Outcome>) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// let free = Arc::new(AtomicU32::new(0));
/// Permit::new().settled_by(Place(free.clone())).settle(Outcome::Success);
/// drop(Permit::new().settled_by(Place(free.clone())));
/// assert_eq!(free.load(Ordering::Relaxed), 2);
/// ```
pub trait Settle: Send + Sync + fmt::Debug {
    /// Called exactly once; `None` when the request was abandoned.
    fn settle(self: Box<Self>, outcome: Option<Outcome>);
}

impl Permit {
    /// A permit with nothing to settle and no headers to add; does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self { settlement: None, headers: None }
    }

    /// Settles with `settle` when the request ends.
    ///
    /// ```
    /// use obs_core::admit::{Permit, Settle};
    /// use obs_core::outcome::Outcome;
    ///
    /// #[derive(Debug)]
    /// struct Tell;
    ///
    /// impl Settle for Tell {
    ///     fn settle(self: Box<Self>, outcome: Option<Outcome>) {
    ///         assert_eq!(outcome, Some(Outcome::Success));
    ///     }
    /// }
    /// Permit::new().settled_by(Tell).settle(Outcome::Success);
    /// ```
    #[must_use]
    pub fn settled_by(mut self, settle: impl Settle + 'static) -> Self {
        self.settlement = Some(Box::new(settle));
        self
    }

    /// Adds `headers` to the response.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = Some(Box::new(headers));
        self
    }

    /// Takes the headers that the response must carry.
    pub fn take_headers(&mut self) -> Option<HeaderMap> {
        self.headers.take().map(|headers| *headers)
    }

    /// Tells the limit how the request ended.
    pub fn settle(mut self, outcome: Outcome) {
        if let Some(settlement) = self.settlement.take() {
            settlement.settle(Some(outcome));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(settlement) = self.settlement.take() {
            settlement.settle(None);
        }
    }
}

/// Why and how a request is refused.
///
/// ```
/// use std::time::Duration;
///
/// use http::StatusCode;
/// use obs_core::admit::Refusal;
/// use obs_core::problem::Problem;
///
/// let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS);
/// let refusal = Refusal::new("per-tenant", problem, Duration::from_secs(2));
/// assert_eq!(refusal.retry_after, Duration::from_secs(2));
/// assert_eq!(refusal.problem.status(), 429);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The body and status of the answer, 429 or 503.
    pub problem: Problem,
    /// The headers of the answer, `Retry-After` among them.
    pub headers: HeaderMap,
    /// The shortest wait after which the same request could pass.
    pub retry_after: Duration,
    /// The policy that refused, for lines and metrics.
    pub policy: std::sync::Arc<str>,
}

impl Refusal {
    /// A refusal by `policy`.
    #[must_use]
    pub fn new(
        policy: impl Into<std::sync::Arc<str>>,
        problem: Problem,
        retry_after: Duration,
    ) -> Self {
        Self { problem, headers: HeaderMap::new(), retry_after, policy: policy.into() }
    }
}
