use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use obs_core::admit::{Admission as RateAdmission, Admit};
use obs_core::circuit::CircuitBreaker;
use obs_core::clock::{Clock, Instant};
use obs_core::deadline::Deadline;
use tower_layer::Layer;
use tower_service::Service;

use super::ResponseFuture;
use super::permits::Permits;
use crate::bulkhead::{Admission, Bulkhead, NoShares, PlaceOf, Waiting};
use crate::classify::HttpStatus;
use crate::deadline::inherited;
use crate::load_shed::{ByRoute, Importance, LoadShed};
use crate::reject::Rejected;
use crate::timeout::{Limit, TimeLimiter};

/// The fused chain of guards.
///
/// `P` finds a request's place in the bulkhead, `C` reads results.
#[derive(Clone, Debug)]
pub struct GuardLayer<P = NoShares, C = HttpStatus> {
    pub(super) parts: Arc<Parts>,
    place_of: P,
    pub(super) classify: C,
}

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) clock: Clock,
    rate_limit: Option<Arc<dyn Admit>>,
    shed: Option<LoadShed>,
    bulkhead: Option<Bulkhead>,
    breaker: Option<CircuitBreaker>,
    pub(super) limiter: Option<TimeLimiter>,
}

/// Chooses the parts of a [`GuardLayer`]; a part left out lets everything pass.
#[derive(Debug)]
#[must_use]
pub struct GuardBuilder<P = NoShares, C = HttpStatus> {
    parts: Parts,
    place_of: P,
    classify: C,
}

impl GuardLayer {
    /// A guard without parts, on the system's clock.
    pub const fn builder() -> GuardBuilder {
        let parts = Parts {
            clock: Clock::system(),
            rate_limit: None,
            shed: None,
            bulkhead: None,
            breaker: None,
            limiter: None,
        };
        GuardBuilder { parts, place_of: NoShares, classify: HttpStatus }
    }
}

impl<P, C> GuardBuilder<P, C> {
    /// The clock; the parts must have been built with the same.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.parts.clock = clock;
        self
    }

    /// Asks `limit` first.
    pub fn rate_limit(mut self, limit: Arc<dyn Admit>) -> Self {
        self.parts.rate_limit = Some(limit);
        self
    }

    /// Sheds what could not be served in time.
    pub fn load_shed(mut self, shed: LoadShed) -> Self {
        self.parts.shed = Some(shed);
        self
    }

    /// Bounds concurrency.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Self {
        self.parts.bulkhead = Some(bulkhead);
        self
    }

    /// Finds the share and the priority of each request in the bulkhead.
    pub fn place_by<Req, F>(self, place_of: F) -> GuardBuilder<F, C>
    where
        F: for<'a> Fn(&'a Req) -> crate::bulkhead::Place<'a>,
    {
        GuardBuilder { parts: self.parts, place_of, classify: self.classify }
    }

    /// Fails at once what would fail anyway.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.parts.breaker = Some(breaker);
        self
    }

    /// Limits the time of the whole.
    pub fn time_limiter(mut self, limiter: TimeLimiter) -> Self {
        self.parts.limiter = Some(limiter);
        self
    }

    /// Reads results with `classify`; see [`Classify`](crate::classify::Classify).
    pub fn classify_with<C2>(self, classify: C2) -> GuardBuilder<P, C2> {
        GuardBuilder { parts: self.parts, place_of: self.place_of, classify }
    }

    /// The layer. Clones and applications share the parts.
    pub fn build(self) -> GuardLayer<P, C> {
        let Self { parts, place_of, classify } = self;
        GuardLayer { parts: Arc::new(parts), place_of, classify }
    }
}

impl<S, P: Clone, C: Clone> Layer<S> for GuardLayer<P, C> {
    type Service = GuardService<S, P, C>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { inner, layer: self.clone() }
    }
}

/// A guarded service; made by [`GuardLayer`].
#[derive(Clone, Debug)]
pub struct GuardService<S, P = NoShares, C = HttpStatus> {
    inner: S,
    layer: GuardLayer<P, C>,
}

impl<S, P, C> GuardService<S, P, C> {
    /// The guarded service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The guarded service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service without its guard.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// How far a request has come.
pub(super) enum Progress {
    /// Through all of it.
    Through,
    /// Into the queue of the bulkhead.
    Queued(Waiting),
}

impl Parts {
    /// The deadline of a request that comes `now`.
    fn start(&self, now: Instant, from: Option<Deadline>) -> Result<Option<Limit>, Rejected> {
        self.limiter.as_ref().map(|limiter| limiter.start(now, None, from)).transpose()
    }

    /// From the load shedding to the breaker, or into the queue between.
    #[inline]
    pub(super) fn pass<B, P: PlaceOf<Request<B>>>(
        &self,
        request: &Request<B>,
        place_of: &P,
        permits: &mut Permits,
        now: Instant,
    ) -> Result<Progress, Rejected> {
        let Some(priority) = ByRoute.importance(request) else { return Ok(Progress::Through) };
        if let Some(shed) = &self.shed {
            permits.shed = Some(shed.try_acquire_at(priority, now, permits.deadline)?);
        }
        if let Some(bulkhead) = &self.bulkhead {
            match bulkhead.admit(place_of.place_of(request), true, now, permits.deadline) {
                Admission::Admitted(permit) => permits.bulkhead = Some(permit),
                Admission::Queued(waiting) => return Ok(Progress::Queued(waiting)),
                Admission::Full(full) => return Err(full.into()),
            }
        }
        self.pass_breaker(permits, now).map(|()| Progress::Through)
    }

    #[inline]
    pub(super) fn pass_breaker(&self, permits: &mut Permits, now: Instant) -> Result<(), Rejected> {
        if let Some(breaker) = &self.breaker {
            permits.breaker = Some(breaker.try_acquire_at(now, permits.deadline)?);
        }
        Ok(())
    }
}

/// `S` is `Clone` because a call that waits takes the instance that is ready along and leaves
/// another in its place.
impl<S, P, C, B, B2> Service<Request<B>> for GuardService<S, P, C>
where
    S: Service<Request<B>, Response = Response<B2>> + Clone,
    P: PlaceOf<Request<B>> + Clone,
    C: crate::classify::Classify<Response<B2>, S::Error> + Clone,
    B2: From<Bytes>,
{
    type Response = Response<B2>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, P, C>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let parts = &self.layer.parts;
        let (now, from) = (parts.clock.coarse(), inherited());
        let limit = match parts.start(now, from) {
            Ok(limit) => limit,
            Err(rejected) => return ResponseFuture::refused(&self.layer, None, rejected),
        };
        let deadline = limit.map_or(from, |limit| Some(limit.deadline));
        let mut permits = Permits { deadline, ..Permits::default() };
        let (request, asked) = self.layer.ask_rate_limit(request);
        match asked {
            None => {}
            Some(RateAdmission::Admitted(permit)) => permits.rate = Some(permit),
            Some(RateAdmission::Refused(refusal)) => {
                return ResponseFuture::over_rate(&self.layer, limit, *refusal);
            }
            Some(RateAdmission::Pending(pending)) => {
                let call = (self.take_ready(), request);
                return ResponseFuture::asking(&self.layer, limit, permits, call, pending);
            }
        }
        let layer = &self.layer;
        match layer.parts.pass(&request, &layer.place_of, &mut permits, now) {
            Ok(Progress::Through) => {
                let inner = {
                    let _scope = limit.and_then(Limit::enter);
                    self.inner.call(request)
                };
                ResponseFuture::running(&self.layer, limit, permits, inner)
            }
            Ok(Progress::Queued(waiting)) => {
                let call = (self.take_ready(), request);
                ResponseFuture::queued(&self.layer, limit, permits, call, waiting)
            }
            Err(rejected) => {
                permits.settle(rejected.outcome(), now);
                ResponseFuture::refused(&self.layer, limit, rejected)
            }
        }
    }
}

impl<S: Clone, P, C> GuardService<S, P, C> {
    /// Takes the instance that is ready and leaves another.
    fn take_ready(&mut self) -> S {
        let next = self.inner.clone();
        mem::replace(&mut self.inner, next)
    }
}

impl<P, C> GuardLayer<P, C> {
    /// The limit looks at the parts of a request without its body.
    #[inline]
    fn ask_rate_limit<B>(&self, request: Request<B>) -> (Request<B>, Option<RateAdmission>) {
        match &self.parts.rate_limit {
            None => (request, None),
            Some(limit) => {
                let (parts, body) = request.into_parts();
                let admission = limit.admit(&parts);
                (Request::from_parts(parts, body), Some(admission))
            }
        }
    }

    pub(super) const fn place_of(&self) -> &P {
        &self.place_of
    }
}
