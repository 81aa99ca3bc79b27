use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;
use obs_core::control::{Registry, check_name};
use obs_core::deadline::{Deadline, DeadlineScope};
use obs_core::metric::{Counter, Descriptor, Recorder, Unit};
use obs_core::outcome::Rejection;

use crate::reject::Rejected;

static EXCEEDED: Descriptor =
    Descriptor::new("TimeLimitExceeded", Unit::Count, "Calls that ran into their deadline");

/// A handle to a time limit; clones are the same limit.
///
/// ```
/// use std::time::Duration;
///
/// use obs_tower::timeout::TimeLimiter;
///
/// let limiter = TimeLimiter::builder("inventory").timeout_duration(Duration::from_secs(2)).build()?;
/// assert_eq!(&**limiter.name(), "inventory");
/// limiter.set_timeout_duration(Duration::from_secs(3))?;
/// assert_eq!(limiter.timeout_duration(), Duration::from_secs(3));
/// limiter.set_shadow(true);
/// assert!(limiter.is_shadow());
/// assert_eq!((limiter.exceeded(), limiter.dead_on_arrival()), (0, 0));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeLimiter(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) clock: Clock,
    /// The limit in nanoseconds, twice, and 1 for shadow mode: both change at once.
    knobs: AtomicU64,
    pub(super) exceeded: AtomicU64,
    pub(super) on_arrival: AtomicU64,
    exceeded_series: Counter,
    on_arrival_series: Counter,
}

/// The deadline of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) deadline: Deadline,
    /// How much a process that was frozen may extend it, in nanoseconds; 0 for an inherited deadline.
    pub(crate) extension: u64,
    enforced: bool,
}

impl Limit {
    /// Lets what runs now go by the deadline, unless it is only counted.
    #[inline]
    pub(crate) fn enter(self) -> Option<DeadlineScope> {
        self.enforced.then(|| self.deadline.enter())
    }
}

impl TimeLimiter {
    /// Builds a time limit; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> TimeLimiterBuilder {
        TimeLimiterBuilder {
            name: name.into(),
            timeout_duration: Duration::from_secs(1),
            shadow: false,
            clock: Clock::system(),
            exceeded: Counter::disabled(),
            on_arrival: Counter::disabled(),
            controls: None,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The limit of calls that have no other.
    #[must_use]
    pub fn timeout_duration(&self) -> Duration {
        Duration::from_nanos(self.knobs().0)
    }

    /// Changes the limit from the next call on.
    ///
    /// # Errors
    /// [`ConfigError`] unless it is 1 ms to 24 h; nothing has changed then.
    pub fn set_timeout_duration(&self, limit: Duration) -> Result<(), ConfigError> {
        let limit = check_limit(limit)?;
        self.change(Some(limit), None);
        Ok(())
    }

    /// Whether deadlines are only counted and not enforced.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.knobs().1
    }

    /// Sets whether deadlines are only counted and not enforced.
    pub fn set_shadow(&self, shadow: bool) {
        self.change(None, Some(shadow));
    }

    /// The limit in nanoseconds, and whether it is only counted.
    #[inline]
    fn knobs(&self) -> (u64, bool) {
        let knobs = self.0.knobs.load(Ordering::Relaxed);
        (knobs >> 1, knobs & 1 == 1)
    }

    /// Sets what is given, at once, and leaves the rest as it is at that moment.
    pub(super) fn change(&self, limit: Option<u64>, shadow: Option<bool>) {
        let change = |knobs| {
            let (limit, shadow) = (limit.unwrap_or(knobs >> 1), shadow.unwrap_or(knobs & 1 == 1));
            Some(packed(limit, shadow))
        };
        // It changes whatever it finds, so it does not fail.
        let _ = self.0.knobs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// Calls that ran into their deadline.
    #[must_use]
    pub fn exceeded(&self) -> u64 {
        self.0.exceeded.load(Ordering::Relaxed)
    }

    /// Calls whose deadline had passed when they came.
    #[must_use]
    pub fn dead_on_arrival(&self) -> u64 {
        self.0.on_arrival.load(Ordering::Relaxed)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The deadline of a call that starts `now`, limited to `own` or else to the default.
    ///
    /// # Errors
    /// [`Rejected`] if the inherited deadline has passed.
    #[inline]
    pub(crate) fn start(
        &self,
        now: Instant,
        own: Option<Duration>,
        inherited: Option<Deadline>,
    ) -> Result<Limit, Rejected> {
        let (default, shadow) = self.knobs();
        let extension = own.map_or(default, nanos);
        let enforced = !shadow;
        let deadline = Deadline::at(Instant::from_nanos(now.as_nanos().saturating_add(extension)));
        let own = Limit { deadline, extension, enforced };
        match inherited {
            Some(deadline) if deadline < own.deadline => {
                if deadline.has_passed(now) {
                    self.count_dead_on_arrival()?;
                }
                Ok(Limit { deadline, extension: 0, enforced })
            }
            _ => Ok(own),
        }
    }

    #[cold]
    fn count_dead_on_arrival(&self) -> Result<(), Rejected> {
        self.0.on_arrival.fetch_add(1, Ordering::Relaxed);
        self.0.on_arrival_series.add(1);
        if self.is_shadow() {
            return Ok(());
        }
        Err(Rejected::new(Rejection::Deadline, Arc::clone(&self.0.name)))
    }

    /// Counts a call that ran into its deadline; `None` in shadow mode, which lets it go on.
    #[cold]
    pub(crate) fn exceed(&self) -> Option<Rejected> {
        self.0.exceeded.fetch_add(1, Ordering::Relaxed);
        self.0.exceeded_series.add(1);
        (!self.is_shadow()).then(|| Rejected::timed_out(Arc::clone(&self.0.name)))
    }
}

/// Builds a [`TimeLimiter`].
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_core::control::{Kind, Registry};
/// use obs_core::metric;
/// use obs_tower::timeout::TimeLimiter;
///
/// let controls = Registry::default();
/// let limiter = TimeLimiter::builder("inventory")
///     .timeout_duration(Duration::from_secs(2))
///     .shadow(false)
///     .clock(Clock::system())
///     .recorder(metric::disabled())
///     .controls(&controls)
///     .build()?;
/// assert!(controls.get(Kind::Timeout, limiter.name()).is_some());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct TimeLimiterBuilder {
    name: Arc<str>,
    timeout_duration: Duration,
    shadow: bool,
    clock: Clock,
    exceeded: Counter,
    on_arrival: Counter,
    controls: Option<Registry>,
}

impl TimeLimiterBuilder {
    /// The limit of a call that has no other. Default 1 s, as in resilience4j; 1 ms to 24 h.
    pub fn timeout_duration(mut self, limit: Duration) -> Self {
        self.timeout_duration = limit;
        self
    }

    /// Counts calls that run into their deadline, and lets them go on. Default false.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// The clock by which deadlines are set. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Records `TimeLimitExceeded` by `TimeLimiter` and `Result`. Default nowhere.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        let name = Arc::clone(&self.name);
        let counter =
            |result| recorder.counter(&EXCEEDED, &[("TimeLimiter", &name), ("Result", result)]);
        self.exceeded = counter("deadline_exceeded");
        self.on_arrival = counter("rejected_deadline");
        self
    }

    /// Registers it, so that operators can see and control it. Default: nowhere.
    pub fn controls(mut self, registry: &Registry) -> Self {
        self.controls = Some(registry.clone());
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that [cannot be used](check_name) or a limit out of range.
    pub fn build(self) -> Result<TimeLimiter, ConfigError> {
        check_name(&self.name)?;
        let limiter = TimeLimiter(Arc::new(Shared {
            name: self.name,
            clock: self.clock,
            knobs: AtomicU64::new(packed(check_limit(self.timeout_duration)?, self.shadow)),
            exceeded: AtomicU64::new(0),
            on_arrival: AtomicU64::new(0),
            exceeded_series: self.exceeded,
            on_arrival_series: self.on_arrival,
        }));
        if let Some(registry) = self.controls {
            registry.register(Arc::new(limiter.clone()));
        }
        Ok(limiter)
    }
}

const fn packed(limit_nanos: u64, shadow: bool) -> u64 {
    limit_nanos << 1 | shadow as u64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The limit in nanoseconds, if it is allowed.
pub(super) fn check_limit(limit: Duration) -> Result<u64, ConfigError> {
    let allowed = Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);
    if allowed.contains(&limit) {
        return Ok(nanos(limit));
    }
    let rule = "must be between 1ms and 24h";
    Err(ConfigError::new("timeout_duration", format!("{limit:?}"), rule))
}
