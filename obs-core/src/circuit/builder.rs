use std::sync::Arc;

use super::machine::Machine;
use super::series::Series;
use super::transition::Listener;
use super::{CircuitBreaker, CircuitBreakerConfig, State, Transition, Verdict};
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::control::{Registry, check_name};
use crate::metric::{Descriptor, Recorder, Unit};
use crate::outcome::Outcome;
use crate::random::Random;

static CALLS: Descriptor =
    Descriptor::new("CircuitBreakerCalls", Unit::Count, "Calls by what the circuit breaker saw");
static STATE: Descriptor =
    Descriptor::new("CircuitBreakerState", Unit::None, "1 for the state the breaker is in");

/// Builds a [`CircuitBreaker`].
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, Reason, State, Verdict};
/// use obs_core::clock::ManualClock;
/// use obs_core::control::{Kind, Registry};
/// use obs_core::metric;
/// use obs_core::outcome::Outcome;
///
/// let (clock, controls) = (ManualClock::default(), Registry::default());
/// let breaker = CircuitBreaker::builder("payment")
///     .config(CircuitBreakerConfig::new().consecutive_failures_threshold(2))
///     .clock(clock.clock())
///     // An answer that says the request was wrong tells of trouble, too.
///     .verdict(|outcome| match outcome {
///         Outcome::ClientError => Verdict::Failure,
///         other => Verdict::of(other),
///     })
///     .seed(7)
///     .on_transition(|transition| assert_eq!(transition.reason, Reason::ConsecutiveFailures))
///     .recorder(metric::disabled())
///     .controls(&controls)
///     .build()?;
///
/// breaker.try_acquire()?.settle(Outcome::ClientError);
/// breaker.try_acquire()?.settle(Outcome::ClientError);
/// assert_eq!(breaker.state(), State::Open);
/// assert!(controls.get(Kind::CircuitBreaker, "payment").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct CircuitBreakerBuilder {
    name: Arc<str>,
    config: CircuitBreakerConfig,
    clock: Clock,
    verdict: Option<fn(Outcome) -> Verdict>,
    seed: Option<u64>,
    listeners: Vec<Listener>,
    series: Series,
    controls: Option<Registry>,
}

impl CircuitBreakerBuilder {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            config: CircuitBreakerConfig::default(),
            clock: Clock::system(),
            verdict: None,
            seed: None,
            listeners: Vec::new(),
            series: Series::default(),
            controls: None,
        }
    }

    /// When it opens and how it recovers. Default [`CircuitBreakerConfig::new`].
    pub fn config(mut self, config: CircuitBreakerConfig) -> Self {
        self.config = config;
        self
    }

    /// The clock. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// What an outcome means for the breaker. Default [`Verdict::of`].
    pub fn verdict(mut self, verdict: fn(Outcome) -> Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// Makes the jitter of the open wait repeatable. Default: at random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Calls `listener` after each transition: once, in order, and outside any lock, on the thread
    /// whose call led to it. It may call back into the breaker; it must not block.
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listeners.push(Listener(Arc::new(listener)));
        self
    }

    /// Records `CircuitBreakerCalls` by `CircuitBreaker` and `Result`, and `CircuitBreakerState` by
    /// `CircuitBreaker` and `State`, of which exactly one is 1. Default nowhere.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        let name = Arc::clone(&self.name);
        let calls =
            |result| recorder.counter(&CALLS, &[("CircuitBreaker", &name), ("Result", result)]);
        self.series = Series {
            success: calls("success"),
            failure: calls("failure"),
            slow: calls("slow"),
            ignored: calls("ignored"),
            not_permitted: calls("not_permitted"),
            states: State::ALL.map(|state| {
                let labels = [("CircuitBreaker", &*name), ("State", state.as_str())];
                let gauge = recorder.gauge(&STATE, &labels);
                gauge.set(0.0);
                gauge
            }),
        };
        self
    }

    /// Registers the breaker, so that operators can see and control it. Default: nowhere.
    pub fn controls(mut self, registry: &Registry) -> Self {
        self.controls = Some(registry.clone());
        self
    }

    /// Builds it, closed.
    ///
    /// # Errors
    /// [`ConfigError`] when the name is empty, longer than 128 characters or has others than
    /// `[A-Za-z0-9._:/@-]`, or when the configuration [breaks a rule](CircuitBreakerConfig::validate).
    pub fn build(self) -> Result<CircuitBreaker, ConfigError> {
        check_name(&self.name)?;
        self.config.validate()?;
        let random = self.seed.map_or_else(Random::system, Random::seeded);
        let machine =
            Machine::new(self.name, self.config, self.verdict, self.listeners, self.series, random);
        let breaker = CircuitBreaker::new(machine, self.clock);
        if let Some(registry) = self.controls {
            registry.register(Arc::new(breaker.clone()));
        }
        Ok(breaker)
    }
}
