use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::metric::Recorder;
use obs_core::telemetry::{Telemetry, WeakTelemetry};

use super::self_metrics::SelfMetrics;
use crate::ledger::{DropReason, Ledger};
use crate::sink::Sink;

/// Something that gathers values and hands them over when asked.
///
/// ```
/// use std::sync::Mutex;
///
/// use obs_core::clock::Clock;
/// use obs_core::metric::Unit;
/// use obs_emf::aggregate::Drain;
/// use obs_emf::sink::Sink;
/// use obs_emf::{Ledger, Record, Shape};
///
/// /// Writes how long a queue is, once for each window.
/// #[derive(Debug)]
/// struct Depth(Shape, Mutex<f64>);
///
/// impl Drain for Depth {
///     fn drain(&self, sink: &dyn Sink) {
///         let depth = [*self.1.lock().unwrap()];
///         sink.emit(&Record::new(&self.0, Clock::system().wall()).values(&depth));
///     }
///
///     fn size(&self) -> usize {
///         1
///     }
///
///     fn ledger(&self) -> Ledger {
///         Ledger::default() // it holds nothing that could be lost
///     }
/// }
///
/// let shape = Shape::builder("Shop").dimension_set([""; 0]).metric(("Depth", Unit::Count)).build()?;
/// assert_eq!(Depth(shape, Mutex::new(3.0)).size(), 1);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub trait Drain: Send + Sync + fmt::Debug + 'static {
    /// Hands what has been gathered to `sink`.
    fn drain(&self, sink: &dyn Sink);

    /// How many combinations of dimension values wait, for a flush by size.
    fn size(&self) -> usize;

    /// How many series CloudWatch would bill for what is being gathered.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::metric::Unit;
    /// use obs_emf::Shape;
    /// use obs_emf::aggregate::{Drain, EventAggregator, Mode};
    ///
    /// let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
    /// let events = EventAggregator::new(shape, Mode::Aggregated, Clock::system());
    /// assert_eq!((events.series(), events.longest_interval()), (0, None));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    fn series(&self) -> u64 {
        self.size() as u64
    }

    /// How long its values may be gathered at most; by default as long as one likes.
    fn longest_interval(&self) -> Option<Duration> {
        None
    }

    /// Data points lost here, and those that wait; what was handed over is in the sink's ledger.
    fn ledger(&self) -> Ledger;
}

/// Flushes what has been gathered: by interval, by size, on demand and at shutdown.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use obs_core::clock::Clock;
/// use obs_core::environment::Environment;
/// use obs_core::metric::{Descriptor, Recorder, Unit};
/// use obs_core::output::Output;
/// use obs_core::telemetry::Telemetry;
/// use obs_emf::aggregate::Flusher;
/// use obs_emf::recorder::EmfRecorder;
/// use obs_emf::sink::LineSink;
///
/// static HITS: Descriptor = Descriptor::new("CacheHits", Unit::Count, "Reads the cache served");
///
/// let recorder = Arc::new(EmfRecorder::new("Shop", "orders", "prod", Clock::system())?);
/// let (output, captured) = Output::captured();
/// let telemetry = Telemetry::builder("orders")
///     .environment(Environment::empty())
///     .output(output)
///     .metrics(recorder.clone())
///     .build()?;
/// let sink = Arc::new(LineSink::of(&telemetry));
/// let flusher = Flusher::builder(sink).drain(recorder).interval(Duration::from_secs(10)).start()?;
/// flusher.attach(&telemetry);
///
/// telemetry.recorder().counter(&HITS, &[("Cache", "product")]).add(3);
/// telemetry.shutdown(Duration::from_secs(5));
/// assert!(captured.text().contains("\"CacheHits\":3"));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Flusher(Arc<Handle>);

/// Describes a [`Flusher`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use obs_core::metric::{Descriptor, Recorder, Unit};
/// use obs_core::telemetry::Telemetry;
/// use obs_emf::aggregate::Flusher;
/// use obs_emf::recorder::EmfRecorder;
/// use obs_emf::sink::LineSink;
///
/// static ORDERS: Descriptor = Descriptor::new("OrdersPlaced", Unit::Count, "Orders that were placed");
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let clock = telemetry.clock().clone();
/// let recorder = Arc::new(EmfRecorder::new("Shop", "orders", "test", clock.clone())?);
/// let flusher = Flusher::builder(Arc::new(LineSink::of(&telemetry)))
///     .drain(recorder.clone())
///     .interval(Duration::from_secs(10))
///     .max_size(10_000)
///     .self_metrics(recorder.clone(), clock)
///     .start()?;
/// flusher.attach(&telemetry);
///
/// recorder.counter(&ORDERS, &[]).add(1);
/// assert!(flusher.flush(Duration::from_secs(1)));
/// assert_eq!(flusher.ledger().dropped(), 0);
/// assert!(flusher.shutdown(Duration::from_secs(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct FlusherBuilder {
    sink: Arc<dyn Sink>,
    drains: Vec<Arc<dyn Drain>>,
    interval: Duration,
    max_size: usize,
    self_metrics: Option<SelfMetrics>,
}

#[derive(Debug)]
struct Shared {
    sink: Arc<dyn Sink>,
    drains: Vec<Arc<dyn Drain>>,
    interval: Duration,
    max_size: usize,
    self_metrics: Option<SelfMetrics>,
    /// Those whose self-report is recorded before each drain.
    attached: Mutex<Vec<WeakTelemetry>>,
    /// Held while draining, so that two flushes do not cut a window in two.
    draining: Mutex<()>,
    progress: Arc<Progress>,
}

/// How far the thread is; apart from what it drains, which it has let go when it says so.
#[derive(Debug)]
struct Progress {
    phase: Mutex<Phase>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// The thread drains a last time.
    Stopping,
    /// It has done so and handed over what there was.
    Stopped,
}

#[derive(Debug)]
struct Handle(Arc<Shared>);

/// How long dropping the last handle waits for the thread, which only a sink that breaks its
/// contract can hold up.
const DROP_LIMIT: Duration = Duration::from_secs(1);

impl Flusher {
    /// Starts to describe a flusher.
    pub fn builder(sink: Arc<dyn Sink>) -> FlusherBuilder {
        FlusherBuilder {
            sink,
            drains: Vec::new(),
            interval: Duration::from_secs(10),
            max_size: 10_000,
            self_metrics: None,
        }
    }

    /// Has `telemetry` flush the metrics in its own flushes, such as the one at the end of a
    /// Lambda invocation, and at shutdown, before its lines; and has what `telemetry` reports of
    /// itself ([`Telemetry::record_self_metrics`]) go out with each flush.
    pub fn attach(&self, telemetry: &Telemetry) {
        let mut attached = self.0.0.attached.lock().unwrap_or_else(PoisonError::into_inner);
        attached.push(telemetry.downgrade());
        drop(attached);
        let flusher = self.clone();
        telemetry.on_flush(move |limit| flusher.flush(limit));
    }

    /// Hands over what has been gathered and waits for the sink, for at most `limit`.
    ///
    /// Blocks the calling thread; `false` when time was up first.
    pub fn flush(&self, limit: Duration) -> bool {
        self.0.0.drain();
        self.0.0.sink.flush(limit)
    }

    /// Hands over what has been gathered, stops the thread and shuts the sink down.
    ///
    /// Blocks the calling thread; `false` when time was up first. What is gathered afterwards
    /// counts as lost.
    pub fn shutdown(&self, limit: Duration) -> bool {
        let clock = Clock::system();
        let end = clock.now() + limit;
        let stopped = self.0.stop(limit);
        self.0.0.sink.shutdown(end - clock.now()) && stopped
    }

    /// What became of every data point, gathered or handed over.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use obs_core::telemetry::Telemetry;
    /// use obs_emf::aggregate::Flusher;
    /// use obs_emf::sink::LineSink;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let flusher = Flusher::builder(Arc::new(LineSink::of(&telemetry))).start()?;
    /// assert!(flusher.flush(Duration::from_secs(1)));
    /// assert_eq!(flusher.ledger().dropped(), 0);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.0.0.ledger()
    }
}

impl FlusherBuilder {
    /// Adds something to flush.
    pub fn drain(mut self, drain: Arc<dyn Drain>) -> Self {
        self.drains.push(drain);
        self
    }

    /// How long values are gathered. Default 10 s; between 100 ms and 5 min.
    ///
    /// For metrics of high resolution at most 5 s.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// So many waiting series make a flush before the interval has passed. Default 10,000.
    pub const fn max_size(mut self, series: usize) -> Self {
        self.max_size = series;
        self
    }

    /// Has the pipeline's own losses, series and bytes recorded with each flush, as
    /// [`DROPPED`](super::DROPPED), [`ACTIVE_SERIES`](super::ACTIVE_SERIES) and
    /// [`BYTES_PER_SECOND`](super::BYTES_PER_SECOND).
    pub fn self_metrics(mut self, recorder: Arc<dyn Recorder>, clock: Clock) -> Self {
        self.self_metrics = Some(SelfMetrics::new(recorder, clock));
        self
    }

    /// Starts the thread that flushes.
    ///
    /// # Errors
    /// [`ConfigError`] when the interval is out of its range, or above 5 s for metrics of
    /// [high resolution](crate::Resolution::High), or the system has no thread to give.
    pub fn start(self) -> Result<Flusher, ConfigError> {
        let range = Duration::from_millis(100)..=Duration::from_secs(300);
        if !range.contains(&self.interval) {
            let value = format!("{:?}", self.interval);
            return Err(ConfigError::new("interval", value, "must be between 100 ms and 5 min"));
        }
        let longest = self.drains.iter().filter_map(|drain| drain.longest_interval()).min();
        if longest.is_some_and(|longest| self.interval > longest) {
            let value = format!("{:?}", self.interval);
            let rule = "must be at most 5 s for metrics of high resolution";
            return Err(ConfigError::new("interval", value, rule));
        }
        let shared = Arc::new(Shared {
            sink: self.sink,
            drains: self.drains,
            interval: self.interval,
            max_size: self.max_size,
            self_metrics: self.self_metrics,
            attached: Mutex::default(),
            draining: Mutex::default(),
            progress: Arc::new(Progress {
                phase: Mutex::new(Phase::Running),
                changed: Condvar::new(),
            }),
        });
        let worker = shared.clone();
        std::thread::Builder::new()
            .name("obs-emf-flush".to_owned())
            .spawn(move || {
                worker.run();
                let progress = Arc::clone(&worker.progress);
                // The sink may be the last to hold an output, which ends with it.
                drop(worker);
                progress.set(Phase::Stopped);
            })
            .map_err(|error| ConfigError::new("flusher", error, "must have a thread"))?;
        Ok(Flusher(Arc::new(Handle(shared))))
    }
}

/// The size is looked at so many times in an interval.
const LOOKS: u32 = 10;

impl Shared {
    fn run(&self) {
        let mut looks = 0;
        while self.progress.waits_for_a_look(self.interval / LOOKS) {
            looks += 1;
            let size: usize = self.drains.iter().map(|drain| drain.size()).sum();
            if looks >= LOOKS || size >= self.max_size {
                looks = 0;
                self.drain();
            }
        }
        self.drain();
    }

    fn drain(&self) {
        self.record_attached();
        let _alone = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = &self.self_metrics {
            let series = self.drains.iter().map(|drain| drain.series()).sum();
            own.record(self.ledger(), series, self.sink.bytes());
        }
        for drain in &self.drains {
            drain.drain(&*self.sink);
        }
    }

    fn record_attached(&self) {
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for telemetry in attached.iter().filter_map(WeakTelemetry::upgrade) {
            // Without a lock: this may be the last handle, whose end is the flusher's end too.
            telemetry.record_self_metrics();
        }
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = self.sink.ledger();
        let is_stopped = *self.progress.lock() == Phase::Stopped;
        for drain in &self.drains {
            let gathered = drain.ledger();
            ledger.add(&gathered);
            if is_stopped {
                // Nobody will drain it any more.
                ledger.drop_points(DropReason::Closed, gathered.pending);
            } else {
                ledger.pending += gathered.pending;
            }
        }
        ledger
    }
}

impl Progress {
    /// Waits for the next look; `false` when there is none any more.
    fn waits_for_a_look(&self, pause: Duration) -> bool {
        let (phase, _) = self
            .changed
            .wait_timeout_while(self.lock(), pause, |phase| *phase == Phase::Running)
            .unwrap_or_else(PoisonError::into_inner);
        *phase == Phase::Running
    }

    fn set(&self, phase: Phase) {
        *self.lock() = phase;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// Has the thread drain a last time; `false` if it did not within `limit`.
    fn stop(&self, limit: Duration) -> bool {
        let progress = &self.0.progress;
        let mut phase = progress.lock();
        if *phase == Phase::Running {
            *phase = Phase::Stopping;
        }
        progress.changed.notify_all();
        let (phase, _) = progress
            .changed
            .wait_timeout_while(phase, limit, |phase| *phase != Phase::Stopped)
            .unwrap_or_else(PoisonError::into_inner);
        *phase == Phase::Stopped
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop(DROP_LIMIT);
    }
}
