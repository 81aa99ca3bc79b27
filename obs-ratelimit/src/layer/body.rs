use bytes::Buf;
use http_body::Frame;
use obs_core::body::{Watched, Watcher};
use obs_core::outcome::Outcome;

use crate::limiter::Reservation;

/// The body of a limited response. It holds the place that a concurrency limit gave until it
/// has ended, failed or is dropped.
pub type ResponseBody<B> = Watched<B, HeldToEnd>;

/// What a response holds until the end of its body; dropped before that, it is settled as
/// abandoned.
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use obs_ratelimit::{Limiter, Policy, Quota, RateLimitLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Limiter::new(Policy::builder("exports", Quota::concurrency(1)).build()?)?;
/// let service = RateLimitLayer::new(limiter.clone()).layer(service_fn(async |_: Request<()>| {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::from("a page")))
/// }));
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(limiter.peek("exports", &[])?.remaining, 0);
/// // The last byte of the response gives the place back.
/// response.into_body().collect().await?;
/// assert_eq!(limiter.peek("exports", &[])?.remaining, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HeldToEnd {
    reservation: Box<Reservation>,
    outcome: Outcome,
}

impl HeldToEnd {
    pub(super) const fn new(reservation: Box<Reservation>, outcome: Outcome) -> Self {
        Self { reservation, outcome }
    }
}

impl Watcher for HeldToEnd {
    fn frame<D: Buf>(&mut self, _: &Frame<D>, is_last: bool) -> bool {
        is_last
    }

    fn end(self, failed: Option<&'static str>) {
        self.reservation.end(failed.map_or(self.outcome, |_| Outcome::BodyError));
    }
}
