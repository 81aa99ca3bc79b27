use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::request;

/// What a request has cost, said while or after it is answered.
///
/// A policy with [`cost_after`](crate::PolicyBuilder::cost_after) reserves a cost when a request
/// comes and charges this one when its response has ended. The layer puts the handle into the
/// request's extensions; a handler takes it out, or clones it into its response body. Where it is
/// never set, the reserved cost stands.
///
/// A cost above the quota is charged too, as a debt of at most one more capacity.
///
/// ```
/// use obs_ratelimit::RequestCost;
///
/// let cost = RequestCost::new();
/// let in_the_body = cost.clone();
/// in_the_body.add(700);
/// in_the_body.add(42);
/// assert_eq!(cost.get(), Some(742));
/// ```
#[derive(Clone, Debug)]
pub struct RequestCost(Arc<AtomicU64>);

const UNSET: u64 = u64::MAX;

impl RequestCost {
    /// A handle that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(UNSET)))
    }

    /// Sets the cost, whatever it was.
    ///
    /// ```
    /// use obs_ratelimit::RequestCost;
    ///
    /// let cost = RequestCost::new();
    /// cost.add(5);
    /// cost.set(3);
    /// assert_eq!(cost.get(), Some(3));
    /// ```
    pub fn set(&self, cost: u64) {
        // Relaxed: the number stands alone, and is read when the response has ended.
        self.0.store(cost.min(UNSET - 1), Ordering::Relaxed);
    }

    /// Adds to the cost, which is 0 until it is set.
    pub fn add(&self, cost: u64) {
        let add = |before: u64| {
            let before = if before == UNSET { 0 } else { before };
            Some(before.saturating_add(cost).min(UNSET - 1))
        };
        // The closure always answers, so there is no error.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// The cost, if it was set.
    #[must_use]
    pub fn get(&self) -> Option<u64> {
        let cost = self.0.load(Ordering::Relaxed);
        (cost != UNSET).then_some(cost)
    }

    /// The handle that a request carries.
    pub(super) fn of(request: &request::Parts) -> Option<Self> {
        request.extensions.get::<Self>().cloned()
    }
}

impl Default for RequestCost {
    fn default() -> Self {
        Self::new()
    }
}
