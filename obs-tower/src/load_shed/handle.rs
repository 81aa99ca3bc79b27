use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;
use obs_core::control::{Registry, check_name};
use obs_core::deadline::Deadline;
use obs_core::metric::{Counter, Descriptor, Gauge, Recorder, Unit};
use obs_core::outcome::{Outcome, Rejection};
use obs_core::random::Random;

use super::LoadShedConfig;
use super::gradient::{Gradient, Observation};
use crate::priority::Priority;
use crate::reject::Rejected;

static LIMIT: Descriptor =
    Descriptor::new("LoadShedLimit", Unit::Count, "Calls that may be in flight");
static IN_FLIGHT: Descriptor =
    Descriptor::new("LoadShedInFlight", Unit::Count, "Most calls in flight in the last window");
static SHED: Descriptor = Descriptor::new("LoadShed", Unit::Count, "Calls shed, by priority");

const CLASSES: usize = Priority::ALL.len();
/// The percentage of the limit that each class may use, the least important first.
const PARTS: [u32; CLASSES] = [70, 85, 95, 100];
/// Fewer samples than this say nothing about a window.
const SAMPLES: u64 = 10;

/// A handle to an adaptive limit; clones are the same limit.
#[derive(Clone, Debug)]
pub struct LoadShed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    clock: Clock,
    random: Random,
    limit: AtomicU32,
    in_flight: AtomicU32,
    by_class: [AtomicU32; CLASSES],
    shed: [AtomicU64; CLASSES],
    shadow: AtomicBool,
    window: Window,
    learning: Mutex<Learning>,
    series: Series,
}

/// What the present window has seen.
#[derive(Debug, Default)]
struct Window {
    ends: AtomicU64,
    samples: AtomicU64,
    nanos: AtomicU64,
    most: AtomicU32,
    overload: AtomicBool,
}

#[derive(Debug)]
struct Learning {
    gradient: Gradient,
    config: LoadShedConfig,
}

#[derive(Debug, Default)]
struct Series {
    limit: Gauge,
    in_flight: Gauge,
    shed: [Counter; CLASSES],
}

/// A call was shed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    name: Arc<str>,
    retry_after: Duration,
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shed by {}", self.name)
    }
}

impl std::error::Error for Shed {}

impl From<Shed> for Rejected {
    fn from(shed: Shed) -> Self {
        Self::new(Rejection::LoadShed, shed.name).retry_after(Some(shed.retry_after))
    }
}

impl LoadShed {
    /// Builds a limit; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> LoadShedBuilder {
        LoadShedBuilder {
            name: name.into(),
            config: LoadShedConfig::default(),
            clock: Clock::system(),
            series: Series::default(),
            controls: None,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Calls that may be in flight now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// Calls shed of `priority`.
    #[must_use]
    pub fn shed(&self, priority: Priority) -> u64 {
        self.0.shed[priority as usize].load(Ordering::Relaxed)
    }

    /// What calls take when nobody waits; zero until known.
    #[must_use]
    pub fn baseline(&self) -> Duration {
        Duration::try_from_secs_f64(self.learning().gradient.baseline() / 1e9).unwrap_or_default()
    }

    fn learning(&self) -> std::sync::MutexGuard<'_, Learning> {
        self.0.learning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration in force.
    pub fn config(&self) -> LoadShedConfig {
        self.learning().config.clone()
    }

    /// Changes the configuration from the next call on; the limit stays where it is, within the
    /// new bounds.
    ///
    /// # Errors
    /// [`ConfigError`] when a value breaks a rule; nothing has changed then.
    pub fn reconfigure(&self, config: LoadShedConfig) -> Result<(), ConfigError> {
        config.validate()?;
        let mut learning = self.learning();
        learning.gradient.clamp(&config);
        self.0.limit.store(learning.gradient.limit(), Ordering::Relaxed);
        self.0.shadow.store(config.shadow, Ordering::Relaxed);
        learning.config = config;
        Ok(())
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// [`Shed`] if the limit leaves no room for this priority.
    pub fn try_acquire(&self, priority: Priority) -> Result<LoadShedPermit, Shed> {
        self.try_acquire_at(priority, self.0.clock.now(), crate::deadline::inherited())
    }

    #[inline]
    pub(crate) fn try_acquire_at(
        &self,
        priority: Priority,
        now: Instant,
        deadline: Option<Deadline>,
    ) -> Result<LoadShedPermit, Shed> {
        let shared = &*self.0;
        let class = priority as usize;
        // The place is taken first and given back if there was none: two that race for the last
        // one do not both get it.
        let before = shared.in_flight.fetch_add(1, Ordering::Relaxed);
        let of_class = shared.by_class[class].fetch_add(1, Ordering::Relaxed);
        let limit = shared.limit.load(Ordering::Relaxed);
        let part = u64::from(limit) * u64::from(PARTS[class]) / 100;
        if u64::from(before) >= part.max(1) && of_class > 0 {
            self.shed_one(class)?;
        }
        if before >= shared.window.most.load(Ordering::Relaxed) {
            shared.window.most.fetch_max(before + 1, Ordering::Relaxed);
        }
        Ok(LoadShedPermit { shed: self.clone(), class, started: now, deadline, settled: false })
    }

    #[cold]
    fn shed_one(&self, class: usize) -> Result<(), Shed> {
        let shared = &*self.0;
        shared.shed[class].fetch_add(1, Ordering::Relaxed);
        shared.series.shed[class].add(1);
        if shared.shadow.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.leave(class);
        // Shed together, they should not come back together: one to two seconds.
        let retry_after = Duration::from_secs_f64(1.0 + shared.random.next_f64());
        Err(Shed { name: Arc::clone(&shared.name), retry_after })
    }

    #[inline]
    fn leave(&self, class: usize) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.by_class[class].fetch_sub(1, Ordering::Relaxed);
    }

    #[inline]
    fn settle(&self, sample: Sample, started: Instant, now: Instant) {
        let window = &self.0.window;
        match sample {
            Sample::Latency => {
                let nanos = now.as_nanos().saturating_sub(started.as_nanos());
                window.nanos.fetch_add(nanos, Ordering::Relaxed);
                window.samples.fetch_add(1, Ordering::Relaxed);
            }
            Sample::Overload => {
                window.overload.store(true, Ordering::Relaxed);
            }
            Sample::Nothing => {}
        }
        if now.as_nanos() >= window.ends.load(Ordering::Relaxed) {
            self.end_window(now);
        }
    }

    #[cold]
    fn end_window(&self, now: Instant) {
        let (shared, window) = (&*self.0, &self.0.window);
        // Whoever comes second leaves it to the first.
        let mut learning = match shared.learning.try_lock() {
            Ok(learning) => learning,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let samples = window.samples.load(Ordering::Relaxed);
        let overload = window.overload.load(Ordering::Relaxed);
        if now.as_nanos() < window.ends.load(Ordering::Relaxed) || (samples < SAMPLES && !overload)
        {
            return;
        }
        let Learning { gradient, config } = &mut *learning;
        window.ends.store((now + config.window).as_nanos(), Ordering::Relaxed);
        window.overload.store(false, Ordering::Relaxed);
        let samples = window.samples.swap(0, Ordering::Relaxed);
        let nanos = window.nanos.swap(0, Ordering::Relaxed);
        let in_flight =
            window.most.swap(shared.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
        #[allow(clippy::cast_precision_loss, reason = "a mean of latencies")]
        let latency =
            if samples == 0 { gradient.baseline() } else { nanos.max(1) as f64 / samples as f64 };
        gradient.observe(Observation { latency, in_flight, overload }, config);
        shared.limit.store(gradient.limit(), Ordering::Relaxed);
        shared.series.limit.set(f64::from(gradient.limit()));
        shared.series.in_flight.set(f64::from(in_flight));
    }
}

/// What a call says about the load.
enum Sample {
    Latency,
    Overload,
    Nothing,
}

impl Sample {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success | Outcome::ClientError => Self::Latency,
            Outcome::DeadlineExceeded | Outcome::Rejected(_) => Self::Overload,
            _ => Self::Nothing,
        }
    }
}

/// A call that was let in, until its end.
///
/// Dropped without an outcome it is overload if its deadline had passed, and says nothing otherwise.
#[derive(Debug)]
#[must_use = "dropping a permit at once says that the call was cancelled"]
pub struct LoadShedPermit {
    shed: LoadShed,
    class: usize,
    started: Instant,
    deadline: Option<Deadline>,
    settled: bool,
}

impl LoadShedPermit {
    /// Tells how the call ended.
    pub fn settle(self, outcome: Outcome) {
        let now = self.shed.0.clock.now();
        self.settle_at(outcome, now);
    }

    #[inline]
    pub(crate) fn settle_at(mut self, outcome: Outcome, now: Instant) {
        self.settled = true;
        self.shed.leave(self.class);
        self.shed.settle(Sample::of(outcome), self.started, now);
    }
}

impl Drop for LoadShedPermit {
    fn drop(&mut self) {
        if !self.settled {
            let now = self.shed.0.clock.now();
            self.shed.leave(self.class);
            let late = self.deadline.is_some_and(|deadline| deadline.has_passed(now));
            let sample = if late { Sample::Overload } else { Sample::Nothing };
            self.shed.settle(sample, self.started, now);
        }
    }
}

/// Builds a [`LoadShed`].
#[derive(Debug)]
#[must_use]
pub struct LoadShedBuilder {
    name: Arc<str>,
    config: LoadShedConfig,
    clock: Clock,
    series: Series,
    controls: Option<Registry>,
}

impl LoadShedBuilder {
    /// How the limit moves.
    pub fn config(mut self, config: LoadShedConfig) -> Self {
        self.config = config;
        self
    }

    /// The clock. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Records `LoadShedLimit`, `LoadShedInFlight` and, by `Priority`, `LoadShed`, all by `Limit`.
    pub fn recorder(mut self, recorder: &dyn Recorder) -> Self {
        let name = Arc::clone(&self.name);
        self.series = Series {
            limit: recorder.gauge(&LIMIT, &[("Limit", &name)]),
            in_flight: recorder.gauge(&IN_FLIGHT, &[("Limit", &name)]),
            shed: Priority::ALL.map(|priority| {
                recorder.counter(&SHED, &[("Limit", &name), ("Priority", priority.as_str())])
            }),
        };
        self
    }

    /// Registers it, so that operators can see and control it.
    pub fn controls(mut self, registry: &Registry) -> Self {
        self.controls = Some(registry.clone());
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that [cannot be used](check_name) or a configuration that
    /// [breaks a rule](LoadShedConfig::validate).
    pub fn build(self) -> Result<LoadShed, ConfigError> {
        check_name(&self.name)?;
        self.config.validate()?;
        let window = Window::default();
        window.ends.store((self.clock.now() + self.config.window).as_nanos(), Ordering::Relaxed);
        self.series.limit.set(f64::from(self.config.initial_limit));
        let shed = LoadShed(Arc::new(Shared {
            name: self.name,
            clock: self.clock,
            random: Random::system(),
            limit: AtomicU32::new(self.config.initial_limit),
            in_flight: AtomicU32::new(0),
            by_class: Default::default(),
            shed: Default::default(),
            shadow: AtomicBool::new(self.config.shadow),
            window,
            learning: Mutex::new(Learning {
                gradient: Gradient::new(&self.config),
                config: self.config,
            }),
            series: self.series,
        }));
        if let Some(registry) = self.controls {
            registry.register(Arc::new(shed.clone()));
        }
        Ok(shed)
    }
}
