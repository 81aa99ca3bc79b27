use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use obs_core::admit::Admit;
use obs_core::circuit::{CircuitBreaker, CircuitBreakers};
use obs_core::clock::Clock;
use tower_layer::Layer;

use super::parts::{Breaker, Parts};
use super::{Choices, GuardService};
use crate::bulkhead::{Bulkhead, Place};
use crate::classify::HttpStatus;
use crate::load_shed::LoadShed;
use crate::timeout::TimeLimiter;

/// The fused chain of guards.
///
/// `Q` says what to go by in a request, `C` reads results.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::circuit::CircuitBreakerConfig;
/// use obs_tower::bulkhead::BulkheadConfig;
/// use obs_tower::guard::GuardConfig;
/// use obs_tower::load_shed::LoadShedConfig;
///
/// let guard = GuardConfig::new()
///     .timeout_duration(Duration::from_secs(2))
///     .load_shed(LoadShedConfig::new())
///     .bulkhead(BulkheadConfig::new())
///     .circuit_breaker(CircuitBreakerConfig::new())
///     .guard("orders")?
///     .build();
/// assert!(guard.load_shed().is_some() && guard.bulkhead().is_some());
/// assert!(guard.circuit_breaker().is_some() && guard.circuit_breakers().is_none());
/// assert!(guard.time_limiter().is_some());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GuardLayer<Q = Choices, C = HttpStatus> {
    pub(super) parts: Arc<Parts>,
    pub(super) choose: Q,
    pub(super) classify: C,
}

impl GuardLayer {
    /// A guard of parts that exist already, or of none; [`GuardConfig`](super::GuardConfig) builds
    /// the parts, too.
    ///
    /// ```
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_tower::guard::{Choices, GuardLayer};
    ///
    /// // One breaker for both routes of a dependency.
    /// let payments = CircuitBreaker::builder("payments").build()?;
    /// let charge = GuardLayer::<Choices>::builder().circuit_breaker(payments.clone()).build();
    /// let refund = GuardLayer::<Choices>::builder().circuit_breaker(payments).build();
    ///
    /// charge.circuit_breaker().expect("it has one").force_open(None);
    /// assert!(refund.circuit_breaker().expect("it has one").try_acquire().is_err());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn builder() -> GuardBuilder {
        GuardBuilder { parts: Parts::none(), choose: Choices::default(), classify: HttpStatus }
    }
}

impl<Q, C> GuardLayer<Q, C> {
    /// The adaptive limit, if there is one.
    #[must_use]
    pub fn load_shed(&self) -> Option<&LoadShed> {
        self.parts.shed.as_ref()
    }

    /// The bulkhead, if there is one.
    #[must_use]
    pub fn bulkhead(&self) -> Option<&Bulkhead> {
        self.parts.bulkhead.as_ref()
    }

    /// The breaker, if there is one for all requests.
    #[must_use]
    pub fn circuit_breaker(&self) -> Option<&CircuitBreaker> {
        match &self.parts.breaker {
            Some(Breaker::One(breaker)) => Some(breaker),
            _ => None,
        }
    }

    /// The breakers, if there is one per key.
    #[must_use]
    pub fn circuit_breakers(&self) -> Option<&CircuitBreakers> {
        match &self.parts.breaker {
            Some(Breaker::PerKey(breakers)) => Some(breakers),
            _ => None,
        }
    }

    /// The time limit, if there is one.
    #[must_use]
    pub fn time_limiter(&self) -> Option<&TimeLimiter> {
        self.parts.limiter.as_ref()
    }
}

impl<S, Q: Clone, C: Clone> Layer<S> for GuardLayer<Q, C> {
    type Service = GuardService<S, Q, C>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService::new(inner, self.clone())
    }
}

/// Chooses the parts of a [`GuardLayer`]; a part left out lets everything pass.
///
/// ```
/// use obs_core::circuit::CircuitBreaker;
/// use obs_core::clock::Clock;
/// use obs_tower::bulkhead::Bulkhead;
/// use obs_tower::classify::HttpStatus;
/// use obs_tower::guard::GuardLayer;
/// use obs_tower::load_shed::LoadShed;
/// use obs_tower::timeout::TimeLimiter;
///
/// // From handles that exist already, because something else looks at them, too.
/// let guard = GuardLayer::<obs_tower::guard::Choices>::builder()
///     .clock(Clock::system())
///     .load_shed(LoadShed::builder("orders").build()?)
///     .bulkhead(Bulkhead::builder("orders").build()?)
///     .circuit_breaker(CircuitBreaker::builder("orders").build()?)
///     .time_limiter(TimeLimiter::builder("orders").build()?)
///     .classify_with(HttpStatus)
///     .build();
/// assert!(guard.bulkhead().is_some());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct GuardBuilder<Q = Choices, C = HttpStatus> {
    parts: Parts,
    choose: Q,
    classify: C,
}

impl<Q, C> GuardBuilder<Q, C> {
    /// The clock; the parts must have been built with the same. Default the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.parts.clock = clock;
        self
    }

    /// Asks `limit` first. Default: none.
    pub fn rate_limit(mut self, limit: Arc<dyn Admit>) -> Self {
        self.parts.rate_limit = Some(limit);
        self
    }

    /// Sheds what could not be served in time. Default: nothing is shed.
    pub fn load_shed(mut self, shed: LoadShed) -> Self {
        self.parts.shed = Some(shed);
        self
    }

    /// Bounds concurrency. Default: no bound.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Self {
        self.parts.bulkhead = Some(bulkhead);
        self
    }

    /// Fails at once what would fail anyway. Default: no breaker.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.parts.breaker = Some(Breaker::One(breaker));
        self
    }

    /// One breaker per key; [`GuardBuilder::breaker_by`] finds the key of a request.
    ///
    /// ```
    /// use http::Request;
    /// use obs_core::circuit::{CircuitBreakerConfig, CircuitBreakers};
    /// use obs_tower::guard::{Choices, GuardLayer};
    ///
    /// // A partner that fails is cut off alone; health endpoints look at the same breakers.
    /// let partners = CircuitBreakers::new("partners", CircuitBreakerConfig::new(), 100)?;
    /// let guard = GuardLayer::<Choices>::builder()
    ///     .circuit_breakers(partners.clone())
    ///     .breaker_by(|request: &Request<String>| request.uri().host().unwrap_or("").into())
    ///     .build();
    /// partners.get("slow.example").force_open(None);
    /// assert_eq!(guard.circuit_breakers().map(CircuitBreakers::len), Some(1));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn circuit_breakers(mut self, breakers: CircuitBreakers) -> Self {
        self.parts.breaker = Some(Breaker::PerKey(breakers));
        self
    }

    /// Limits the time of the whole. Default: no limit.
    pub fn time_limiter(mut self, limiter: TimeLimiter) -> Self {
        self.parts.limiter = Some(limiter);
        self
    }

    /// Reads results with `classify`; see [`Classify`](crate::classify::Classify). Default
    /// [`HttpStatus`](crate::classify::HttpStatus).
    pub fn classify_with<C2>(self, classify: C2) -> GuardBuilder<Q, C2> {
        GuardBuilder { parts: self.parts, choose: self.choose, classify }
    }

    /// The layer. Clones and applications share the parts.
    pub fn build(self) -> GuardLayer<Q, C> {
        let Self { parts, choose, classify } = self;
        GuardLayer { parts: Arc::new(parts), choose, classify }
    }
}

impl<P, L, K, C> GuardBuilder<Choices<P, L, K>, C> {
    /// Finds the share and the priority of each request in the bulkhead.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use http::{Request, request};
    /// use obs_core::admit::{Admission, Admit, Permit};
    /// use obs_tower::bulkhead::{Place, Share};
    /// use obs_tower::guard::GuardConfig;
    ///
    /// /// In place of a limiter of obs-ratelimit.
    /// #[derive(Debug)]
    /// struct Everybody;
    ///
    /// impl Admit for Everybody {
    ///     fn admit(&self, _: &request::Parts) -> Admission {
    ///         Admission::Admitted(Permit::new())
    ///     }
    /// }
    ///
    /// fn by_path(request: &Request<()>) -> Place<'_> {
    ///     Place::default().share(Share::of(request.uri().path()))
    /// }
    ///
    /// let guard = GuardConfig::new()
    ///     .guard("orders")?
    ///     .rate_limit(Arc::new(Everybody))
    ///     .place_by(by_path)
    ///     .build();
    /// # let _ = guard;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn place_by<Req, F>(self, place: F) -> GuardBuilder<Choices<F, L, K>, C>
    where
        F: for<'a> Fn(&'a Req) -> Place<'a>,
    {
        let Choices { limit, key, .. } = self.choose;
        let choose = Choices { place, limit, key };
        GuardBuilder { parts: self.parts, choose, classify: self.classify }
    }

    /// Sets the time limit of each request by operation, tenant, or whatever it shows; `None` is
    /// the limiter's default. It has no effect without a time limiter.
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::Request;
    /// use obs_tower::guard::GuardConfig;
    ///
    /// fn exports_may_take_longer(request: &Request<String>) -> Option<Duration> {
    ///     request.uri().path().starts_with("/exports").then_some(Duration::from_secs(60))
    /// }
    /// let guard = GuardConfig::new()
    ///     .timeout_duration(Duration::from_secs(2))
    ///     .guard("api")?
    ///     .limit_by(exports_may_take_longer)
    ///     .build();
    /// # Ok::<_, obs_core::config::ConfigError>(())
    /// ```
    pub fn limit_by<Req, F>(self, limit: F) -> GuardBuilder<Choices<P, F, K>, C>
    where
        F: Fn(&Req) -> Option<Duration>,
    {
        let Choices { place, key, .. } = self.choose;
        let choose = Choices { place, limit, key };
        GuardBuilder { parts: self.parts, choose, classify: self.classify }
    }

    /// Finds the key of each request's breaker, such as its tenant, operation or host. It has no
    /// effect on one breaker for all.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use http::Request;
    /// use obs_core::circuit::CircuitBreakerConfig;
    /// use obs_tower::guard::GuardConfig;
    ///
    /// fn host(request: &Request<String>) -> Cow<'_, str> {
    ///     request.uri().host().unwrap_or("").into()
    /// }
    /// let guard = GuardConfig::new()
    ///     .circuit_breaker_per_key(CircuitBreakerConfig::new(), 100)
    ///     .guard("hosts")?
    ///     .breaker_by(host)
    ///     .build();
    /// # Ok::<_, obs_core::config::ConfigError>(())
    /// ```
    pub fn breaker_by<Req, F>(self, key: F) -> GuardBuilder<Choices<P, L, F>, C>
    where
        F: Fn(&Req) -> Cow<'_, str>,
    {
        let Choices { place, limit, .. } = self.choose;
        let choose = Choices { place, limit, key };
        GuardBuilder { parts: self.parts, choose, classify: self.classify }
    }
}
