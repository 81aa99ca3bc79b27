//! May this request pass: the seam between a limit and the guard that asks it.
//!
//! obs-ratelimit implements [`Admit`]; the fused guard of obs-tower asks it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, request};

use crate::outcome::Outcome;
use crate::problem::Problem;

/// A limit that is asked before a request's handler runs.
pub trait Admit: Send + Sync + fmt::Debug + 'static {
    /// Decides about one request.
    ///
    /// Must not block. An answer that needs the network is [`Admission::Pending`]; everything
    /// else is answered at once and without allocation.
    fn admit(&self, request: &request::Parts) -> Admission;
}

/// The answer of [`Admit::admit`].
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
#[derive(Debug, Default)]
pub struct Permit {
    settlement: Option<Box<dyn Settle>>,
    headers: Option<Box<HeaderMap>>,
}

/// What a limit does when a request it admitted has ended.
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
