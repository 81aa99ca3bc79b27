use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use obs_core::admit::Admission;
use obs_core::clock::Instant;
use tower_service::Service;

use super::future::{ResponseFuture, State};
use super::held::{Held, Progress};
use super::{Choices, Choose, GuardLayer};
use crate::classify::{Classify, HttpStatus};
use crate::deadline::inherited;
use crate::load_shed::{ByRoute, Importance};
use crate::timeout::Limit;

/// A guarded service; made by [`GuardLayer`].
///
/// ```
/// use obs_tower::guard::GuardConfig;
/// use tower::Layer;
///
/// let mut service = GuardConfig::new().guard("orders")?.build().layer("inside");
/// assert_eq!(*service.get_ref(), "inside");
/// *service.get_mut() = "another";
/// assert_eq!(service.into_inner(), "another");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GuardService<S, Q = Choices, C = HttpStatus> {
    inner: S,
    layer: GuardLayer<Q, C>,
}

impl<S, Q, C> GuardService<S, Q, C> {
    pub(super) const fn new(inner: S, layer: GuardLayer<Q, C>) -> Self {
        Self { inner, layer }
    }

    inner_accessors!();
}

impl<S: Clone, Q, C> GuardService<S, Q, C> {
    /// Takes the instance that is ready and leaves another.
    fn take_ready(&mut self) -> S {
        let next = self.inner.clone();
        mem::replace(&mut self.inner, next)
    }
}

/// `S` is `Clone` because a call that waits takes the instance that is ready along and leaves
/// another in its place.
impl<S, Q, C, B, B2> Service<Request<B>> for GuardService<S, Q, C>
where
    S: Service<Request<B>, Response = Response<B2>> + Clone,
    Q: Choose<Request<B>> + Clone,
    C: Classify<Response<B2>, S::Error> + Clone,
    B2: From<Bytes>,
{
    type Response = Response<B2>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, Q, C>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let GuardLayer { parts, choose, classify } = &self.layer;
        let (now, from) = (parts.clock.coarse(), inherited());
        let (choose, classify) = (choose.clone(), classify.clone());
        let (limit, late) = match parts.start(now, choose.limit_of(&request), from) {
            Ok(limit) => (limit, None),
            Err(rejected) => (None, Some(rejected)),
        };
        let deadline = limit.map_or(from, |limit| Some(limit.deadline));
        let mut held = Held::nothing_of(Arc::clone(parts), deadline);
        let state = match late {
            Some(rejected) => State::refused(rejected),
            None => self.enter(request, limit, &choose, &mut held, now),
        };
        ResponseFuture::new(state, limit, held, choose, classify)
    }
}

impl<S, Q, C> GuardService<S, Q, C> {
    /// Through the parts as far as it goes at once.
    #[inline]
    fn enter<B>(
        &mut self,
        request: Request<B>,
        limit: Option<Limit>,
        choose: &Q,
        held: &mut Held,
        now: Instant,
    ) -> State<S, Request<B>, S::Future>
    where
        S: Service<Request<B>> + Clone,
        Q: Choose<Request<B>>,
    {
        // Health and control routes are limited in time only.
        let Some(priority) = ByRoute.importance(&request) else {
            return self.run(request, limit);
        };
        // What is decided has the request by reference: it is large, and each hand copies it.
        let request = match &self.layer.parts.rate_limit {
            None => request,
            Some(limit) => {
                let (parts, body) = request.into_parts();
                let admission = limit.admit(&parts);
                let request = Request::from_parts(parts, body);
                match admission {
                    Admission::Admitted(permit) => held.rate = Some(permit),
                    Admission::Refused(refusal) => return State::over_rate(refusal),
                    Admission::Pending(pending) => {
                        return State::asking(pending, (self.take_ready(), request));
                    }
                }
                request
            }
        };
        match held.pass(&request, priority, choose, now) {
            Ok(Progress::Through) => self.run(request, limit),
            Ok(Progress::Queued(waiting)) => State::queued(waiting, (self.take_ready(), request)),
            Err(rejected) => State::refused(rejected),
        }
    }

    #[inline]
    fn run<B>(
        &mut self,
        request: Request<B>,
        limit: Option<Limit>,
    ) -> State<S, Request<B>, S::Future>
    where
        S: Service<Request<B>>,
    {
        let _scope = limit.and_then(Limit::enter);
        State::running(self.inner.call(request))
    }
}
