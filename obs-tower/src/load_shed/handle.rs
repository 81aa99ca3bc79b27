use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;
use obs_core::deadline::Deadline;
use obs_core::metric::{Counter, Gauge};
use obs_core::outcome::Outcome;
use obs_core::random::Random;

use super::gradient::Gradient;
use super::permit::{Sample, Ticket};
use super::window::Window;
use super::{LoadShedBuilder, LoadShedConfig, LoadShedPermit, Shed};
use crate::deadline::inherited;
use crate::priority::Priority;

const CLASSES: usize = Priority::ALL.len();
/// The percentage of the limit that each class may use, the least important first.
const PARTS: [u32; CLASSES] = [70, 85, 95, 100];

/// A handle to an adaptive limit; clones are the same limit.
///
/// ```
/// use obs_core::outcome::Outcome;
/// use obs_tower::load_shed::LoadShed;
/// use obs_tower::priority::Priority;
///
/// let shed = LoadShed::builder("orders").build()?;
/// let permit = shed.try_acquire(Priority::Normal)?;
/// assert_eq!((shed.in_flight(), shed.shed(Priority::Low)), (1, 0));
/// permit.settle(Outcome::Success);
///
/// shed.reconfigure(shed.config().max_limit(5_000))?;
/// assert!(shed.baseline() < std::time::Duration::from_secs(60));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LoadShed(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
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

#[derive(Debug)]
struct Learning {
    gradient: Gradient,
    config: LoadShedConfig,
}

#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) limit: Gauge,
    pub(super) in_flight: Gauge,
    pub(super) shed: [Counter; CLASSES],
}

impl LoadShed {
    /// Builds a limit; `name` is what operators, lines and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> LoadShedBuilder {
        LoadShedBuilder::new(name.into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Calls that may be in flight now.
    ///
    /// ```
    /// use obs_tower::load_shed::{LoadShed, LoadShedConfig};
    ///
    /// let config = LoadShedConfig::new().initial_limit(50);
    /// let shed = LoadShed::builder("orders").config(config).build()?;
    /// assert_eq!((&**shed.name(), shed.limit()), ("orders", 50));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
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

    fn learning(&self) -> MutexGuard<'_, Learning> {
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
        self.update(|_| Ok(config))
    }

    /// Puts what `change` makes of the configuration in its place; nobody else changes it meanwhile.
    pub(super) fn update<E: From<ConfigError>>(
        &self,
        change: impl FnOnce(LoadShedConfig) -> Result<LoadShedConfig, E>,
    ) -> Result<(), E> {
        let mut learning = self.learning();
        let config = change(learning.config.clone())?;
        config.validate()?;
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
    #[inline]
    pub fn try_acquire(&self, priority: Priority) -> Result<LoadShedPermit, Shed> {
        let mut permit = self.begin(priority)?;
        permit.waits(inherited());
        Ok(permit)
    }

    /// As [`Self::try_acquire`], for a call that may be answered at once: it has no deadline until
    /// it [waits](LoadShedPermit::waits).
    #[inline]
    pub(super) fn begin(&self, priority: Priority) -> Result<LoadShedPermit, Shed> {
        let ticket = self.admit(priority, None)?;
        Ok(LoadShedPermit::new(self.clone(), ticket))
    }

    #[inline]
    pub(crate) fn admit(
        &self,
        priority: Priority,
        deadline: Option<Deadline>,
    ) -> Result<Ticket, Shed> {
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
        shared.window.saw(before + 1);
        let clock = &shared.clock;
        let started = shared.window.wants_a_sample().then(|| clock.running(clock.now()));
        Ok(Ticket { class, started, deadline })
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

    /// A call ended so, or was dropped, at about `now`.
    #[inline]
    pub(crate) fn settle(&self, ticket: Ticket, outcome: Option<Outcome>, now: Instant) {
        let (window, clock) = (&self.0.window, &self.0.clock);
        self.leave(ticket.class);
        let late = || ticket.deadline.is_some_and(|deadline| deadline.has_passed(now));
        match outcome.map_or(Sample::Nothing, Sample::of) {
            Sample::Latency => {
                if let Some(started) = ticket.started {
                    window.add(clock.running(clock.now()) - started);
                }
            }
            Sample::Overload => window.overloaded(),
            Sample::Nothing if outcome.is_none() && late() => window.overloaded(),
            Sample::Nothing => {}
        }
        if window.is_over(now) {
            self.end_window(now);
        }
    }

    #[cold]
    fn end_window(&self, now: Instant) {
        let shared = &*self.0;
        // Whoever comes second leaves it to the first.
        let mut learning = match shared.learning.try_lock() {
            Ok(learning) => learning,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let Learning { gradient, config } = &mut *learning;
        let in_flight = shared.in_flight.load(Ordering::Relaxed);
        let seen = shared.window.end(now, config.window, in_flight, gradient.baseline());
        if let Some(seen) = seen {
            gradient.observe(seen, config);
            shared.limit.store(gradient.limit(), Ordering::Relaxed);
            shared.series.limit.set(f64::from(gradient.limit()));
            shared.series.in_flight.set(f64::from(seen.in_flight));
        }
    }
}

impl Shared {
    pub(super) fn new(
        name: Arc<str>,
        clock: Clock,
        config: LoadShedConfig,
        series: Series,
    ) -> Self {
        let window = Window::ending_at(clock.now() + config.window);
        Self {
            name,
            clock,
            random: Random::system(),
            limit: AtomicU32::new(config.initial_limit),
            in_flight: AtomicU32::new(0),
            by_class: Default::default(),
            shed: Default::default(),
            shadow: AtomicBool::new(config.shadow),
            window,
            learning: Mutex::new(Learning { gradient: Gradient::new(&config), config }),
            series,
        }
    }
}
