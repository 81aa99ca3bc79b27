use std::future::Future;

use http::request;
use obs_core::outcome::Outcome;

use super::decide::Passed;
use super::{Check, Decision, Limiter, Reservation};
use crate::engine::Tell;

impl Limiter {
    /// Reserves what a request costs, waiting for a store where a policy needs one.
    ///
    /// What comes back is committed or refunded by its owner, for work that is no HTTP request or
    /// whose cost is known only afterwards.
    ///
    /// Cancel-safe: dropped before it answers, it has charged nothing that is not given back.
    ///
    /// # Errors
    /// The [`Check`] of a refusal.
    ///
    /// ```
    /// use obs_ratelimit::{Limiter, Policy, Quota};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = Limiter::new(Policy::builder("tokens", Quota::per_minute(1_000)).build()?)?;
    /// let (job, ()) = http::Request::get("/").body(())?.into_parts();
    ///
    /// let Ok(reserved) = limiter.acquire(&job).await else { return Ok(()) };
    /// reserved.commit_cost(300);
    /// assert_eq!(limiter.peek("tokens", &[])?.remaining, 700);
    ///
    /// let Ok(reserved) = limiter.acquire(&job).await else { return Ok(()) };
    /// reserved.refund();
    /// assert_eq!(limiter.peek("tokens", &[])?.remaining, 700);
    /// # Ok(())
    /// # }
    /// ```
    pub fn acquire(
        &self,
        request: &request::Parts,
    ) -> impl Future<Output = Result<Acquired, Check>> + Send + use<> {
        let (this, decision) = (self.clone(), self.decide_and_hold(request));
        async move {
            let answer = match decision {
                Decision::Passed(passed) => Ok(passed),
                Decision::Denied(denied) => Err(denied),
                Decision::Pending(asked) => this.clone().resolve(asked, Tell::Nothing, true).await,
            };
            match answer {
                Ok(Passed { reservation, .. }) => Ok(Acquired { reservation }),
                Err(denied) => Err(this.refused(&denied)),
            }
        }
    }
}

/// What a caller has [acquired](Limiter::acquire) and not yet committed.
///
/// Dropped, it is an abandoned request: charged, unless its policies
/// [refund](crate::PolicyBuilder::refund_on_cancel) those.
///
/// ```
/// use obs_core::outcome::Outcome;
/// use obs_ratelimit::{Limiter, Policy, Quota};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Limiter::new(Policy::builder("jobs", Quota::per_minute(10)).build()?)?;
/// let (job, ()) = http::Request::get("/").body(())?.into_parts();
///
/// let Ok(acquired) = limiter.acquire(&job).await else { return Ok(()) };
/// acquired.commit();
/// let Ok(acquired) = limiter.acquire(&job).await else { return Ok(()) };
/// acquired.settle(Outcome::Success);
/// assert_eq!(limiter.peek("jobs", &[])?.remaining, 8);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Acquired {
    reservation: Option<Box<Reservation>>,
}

impl Acquired {
    /// Charges what was reserved; places of a concurrency limit are given back.
    pub fn commit(mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.keep();
        }
    }

    /// Charges `cost` instead of what was reserved, to every policy that counts costs.
    ///
    /// ```
    /// use obs_ratelimit::{Limiter, Policy, Quota};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A prompt reserves one token, and is charged for those that its answer took.
    /// let policy = Policy::builder("tokens", Quota::per_minute(1_000)).build()?;
    /// let limiter = Limiter::new(policy)?;
    /// let (prompt, ()) = http::Request::get("/").body(())?.into_parts();
    ///
    /// let Ok(reserved) = limiter.acquire(&prompt).await else { return Ok(()) };
    /// reserved.commit_cost(300);
    /// assert_eq!(limiter.peek("tokens", &[])?.remaining, 700);
    /// # Ok(())
    /// # }
    /// ```
    pub fn commit_cost(mut self, cost: u64) {
        if let Some(reservation) = self.reservation.take() {
            reservation.commit_cost(cost);
        }
    }

    /// Charges as the policies say for work that ended so: only failures, or only successes.
    pub fn settle(mut self, outcome: Outcome) {
        if let Some(reservation) = self.reservation.take() {
            reservation.end(outcome);
        }
    }

    /// Gives everything back.
    ///
    /// ```
    /// use obs_ratelimit::{Limiter, Policy, Quota};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = Limiter::new(Policy::builder("jobs", Quota::per_minute(10)).build()?)?;
    /// let (job, ()) = http::Request::get("/").body(())?.into_parts();
    ///
    /// let Ok(reserved) = limiter.acquire(&job).await else { return Ok(()) };
    /// assert_eq!(limiter.peek("jobs", &[])?.remaining, 9);
    /// // The queue was empty after all.
    /// reserved.refund();
    /// assert_eq!(limiter.peek("jobs", &[])?.remaining, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn refund(mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.refund();
        }
    }
}
