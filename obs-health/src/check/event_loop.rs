use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};

use super::{Check, CheckFuture, Observation};

/// The pulse of the runtime: a task writes the time at every beat, a probe reads how long ago that
/// was.
///
/// It says whether tasks still run, whatever the dependencies do.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_health::Dependency;
/// use obs_health::check::{EventLoopCheck, Heartbeat};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// let heartbeat = Heartbeat::new(Clock::system(), Duration::from_millis(100));
/// let beating = tokio::spawn(heartbeat.clone().run());
/// assert!(heartbeat.delay() < Duration::from_secs(60));
/// let runtime = EventLoopCheck::new(heartbeat, Duration::from_millis(500));
/// let dependency = Dependency::optional("runtime", runtime);
/// # let _ = dependency;
/// beating.abort();
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<Pulse>);

#[derive(Debug)]
struct Pulse {
    clock: Clock,
    interval: Duration,
    /// Nanoseconds of the last beat; 0 before the first.
    last: AtomicU64,
    /// Nanoseconds by which the worst beat since the last reading came late.
    worst_delay: AtomicU64,
}

impl Heartbeat {
    /// A pulse that is to beat every `interval`.
    #[must_use]
    pub fn new(clock: Clock, interval: Duration) -> Self {
        let (last, worst_delay) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Pulse { clock, interval, last, worst_delay }))
    }

    /// Beats until it is dropped; spawn it on the runtime whose pulse it is.
    pub async fn run(self) {
        loop {
            self.beat();
            tokio::time::sleep(self.0.interval).await;
        }
    }

    /// How late the next beat is; zero while it is not due and before the first beat.
    ///
    /// A pulse that never began says nothing about the runtime.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay_at(self.0.clock.now())
    }

    fn beat(&self) {
        let now = self.0.clock.now();
        let delay = u64::try_from(self.delay_at(now).as_nanos()).unwrap_or(u64::MAX);
        // Relaxed: each value is read alone; nothing else is published through it.
        self.0.worst_delay.fetch_max(delay, Ordering::Relaxed);
        self.0.last.store(now.as_nanos(), Ordering::Relaxed);
    }

    fn delay_at(&self, now: Instant) -> Duration {
        match self.0.last.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            last => (now - Instant::from_nanos(last)).saturating_sub(self.0.interval),
        }
    }

    fn take_worst_delay(&self) -> Duration {
        Duration::from_nanos(self.0.worst_delay.swap(0, Ordering::Relaxed)).max(self.delay())
    }
}

/// Judges the event-loop delay: how late the pulse's worst beat since the last run came.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_core::control::Health;
/// use obs_health::check::{Check, EventLoopCheck, Heartbeat};
///
/// let heartbeat = Heartbeat::new(Clock::system(), Duration::from_millis(100));
/// let check = EventLoopCheck::new(heartbeat, Duration::from_secs(3600));
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// assert_eq!(check.check().await.health(), Health::Pass);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct EventLoopCheck {
    heartbeat: Heartbeat,
    warn_above: Duration,
}

impl EventLoopCheck {
    /// A check of `heartbeat` that warns above `warn_above`.
    #[must_use]
    pub fn new(heartbeat: Heartbeat, warn_above: Duration) -> Self {
        Self { heartbeat, warn_above }
    }
}

impl Check for EventLoopCheck {
    fn check(&self) -> CheckFuture {
        let delay = self.heartbeat.take_worst_delay();
        let observation = if delay > self.warn_above {
            Observation::warn("tasks wait too long for their turn")
        } else {
            Observation::pass()
        };
        Box::pin(std::future::ready(observation.value(delay.as_secs_f64() * 1e3, "ms")))
    }

    fn component_type(&self) -> &'static str {
        "system"
    }
}
