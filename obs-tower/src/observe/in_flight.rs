//! The requests being served now.
//!
//! Each holds a [`Flight`], a place that is used again by later requests, so that none of this
//! allocates once the service has seen its usual concurrency. The record of a request lies in its
//! flight as an `Option`: whoever takes it out ends the request, and nobody can do so twice.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use obs_core::clock::Clock;
use obs_core::control::{Control, Kind};
use obs_core::shard::{self, Apart};
use serde_json::json;

use super::recording::Recording;

/// Places kept for later requests, by shard.
const IDLE_PER_SHARD: usize = 1024;
/// A dump shows at most this many requests, the oldest.
const DUMP_LIMIT: usize = 256;

/// The requests that a layer is serving now; clones share them.
///
/// Registered as a control of kind `in_flight`: its snapshot shows what is running, for how long,
/// and on which route.
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::observe::ObserveLayer;
///
/// let layer = ObserveLayer::new(Telemetry::builder("orders").build()?);
/// let in_flight = layer.in_flight().clone();
/// assert_eq!(in_flight.count(), 0);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct InFlight(Arc<Inner>);

struct Inner {
    name: String,
    clock: Clock,
    running: Apart<AtomicU64>,
    stopping: AtomicBool,
    /// Requests begin and end on many threads; each thread keeps to one of these lists.
    shards: [Apart<Mutex<Shard>>; shard::COUNT],
}

#[derive(Default)]
struct Shard {
    running: Vec<Arc<Flight>>,
    idle: Vec<Arc<Flight>>,
}

/// The place of one request.
#[derive(Default)]
pub(super) struct Flight {
    recording: Mutex<Option<Recording>>,
    /// Where it stands in `Shard::running`; read and written under the shard's lock.
    position: AtomicUsize,
}

impl Flight {
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Recording>> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flight in use, until [`InFlight::give_back`].
pub(super) struct Seat {
    flight: Arc<Flight>,
    shard: usize,
}

impl InFlight {
    pub(super) fn new(name: String, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            name,
            clock,
            running: Apart::default(),
            stopping: AtomicBool::new(false),
            shards: Default::default(),
        }))
    }

    /// How many requests are being served.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.running.0.load(Ordering::Relaxed)
    }

    /// Whether the service is being stopped.
    pub(super) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Counts a request and says how many there are with it.
    pub(super) fn enter(&self) -> u64 {
        // Relaxed: a gauge; nothing is published through it.
        self.0.running.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a request's end.
    pub(super) fn leave(&self) {
        self.0.running.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// A place for a request, in which `open` opens its record. Locks are held meanwhile, so `open`
    /// must not call code of others.
    pub(super) fn seat(&self, open: impl FnOnce(&mut Option<Recording>)) -> Seat {
        let shard = shard::of_this_thread();
        let mut places = self.shard(shard);
        let flight = places.idle.pop().unwrap_or_default();
        open(&mut flight.lock());
        flight.position.store(places.running.len(), Ordering::Relaxed);
        places.running.push(Arc::clone(&flight));
        drop(places);
        Seat { flight, shard }
    }

    /// Lets later requests have the place; called once for each seat.
    pub(super) fn give_back(&self, seat: &Seat) {
        let mut places = self.shard(seat.shard);
        let position = seat.flight.position.load(Ordering::Relaxed);
        let flight = places.running.swap_remove(position);
        if let Some(moved) = places.running.get(position) {
            moved.position.store(position, Ordering::Relaxed);
        }
        if places.idle.len() < IDLE_PER_SHARD {
            places.idle.push(flight);
        }
    }

    fn shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.0.shards[shard].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The places in use; their requests may end meanwhile.
    pub(super) fn flights(&self) -> Vec<Arc<Flight>> {
        (0..shard::COUNT).flat_map(|shard| self.shard(shard).running.clone()).collect()
    }
}

impl Seat {
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Recording>> {
        self.flight.lock()
    }
}

impl Control for InFlight {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn kind(&self) -> Kind {
        Kind::InFlight
    }

    fn state(&self) -> &'static str {
        match (self.is_stopping(), self.count()) {
            (true, _) => "stopping",
            (false, 0) => "idle",
            (false, _) => "serving",
        }
    }

    /// `count`, and in `requests` up to 256 of them, the oldest first: `method`, `route`, `age_ms`,
    /// `phase` (`handler` or `body`), `correlation_id`, `trace_id`, `response_bytes`.
    fn snapshot(&self) -> serde_json::Value {
        let now = self.0.clock.now();
        let mut requests: Vec<_> = self
            .flights()
            .iter()
            .filter_map(|flight| flight.lock().as_ref().map(|r| (r.started, r.describe(now))))
            .collect();
        requests.sort_by_key(|(started, _)| *started);
        let requests: Vec<_> = requests.into_iter().take(DUMP_LIMIT).map(|(_, r)| r).collect();
        json!({ "count": self.count(), "requests": requests })
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("name", &self.0.name)
            .field("count", &self.count())
            .finish()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seat")
    }
}
