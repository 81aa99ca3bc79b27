use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use obs_core::clock::{Clock, ManualClock};
use obs_core::config::ConfigError;
use obs_core::random::Random;

use super::fault::Effect;
use super::{Fault, Load, Report};
use crate::lease::{Bound, Chore, LeaseConfig, Plane, Step, Time, TokenPlane};
use crate::quota::{Quota, SharedPlan};
use crate::store::{Grant, MemoryStore, SharedQuota, StoreError, StoreErrorKind, StoreKey, Take};

/// Nodes that lease one key from one store.
///
/// ```
/// use std::time::Duration;
///
/// use obs_ratelimit::sim::{Fleet, Load};
/// use obs_ratelimit::{LeaseConfig, Quota};
///
/// let report = Fleet::new(Quota::per_second(200), LeaseConfig::new())
///     .nodes(5)
///     .round_trip(Duration::from_millis(2))
///     .load(Load::Zipf { per_second: 400.0 })
///     .run_for(Duration::from_secs(3), 7)?;
/// assert!(report.worst_second <= report.bound_in_a_second);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fleet {
    quota: Quota,
    config: LeaseConfig,
    nodes: usize,
    round_trip: Duration,
    load: Load,
    faults: Vec<Fault>,
}

type Ask = <TokenPlane as Plane>::Ask;

/// One step of virtual time.
const STEP: Duration = Duration::from_millis(1);
const KEY: u64 = 0x9e37_79b9_7f4a_7c15;

impl Fleet {
    /// A fleet of 20 nodes with a round trip of 8 ms, under an even load of the quota's own rate.
    #[must_use]
    pub fn new(quota: Quota, config: LeaseConfig) -> Self {
        let load = Load::Even { per_second: 1_000.0 };
        let round_trip = Duration::from_millis(8);
        Self { quota, config, nodes: 20, round_trip, load, faults: Vec::new() }
    }

    /// How many nodes. Default 20.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes.max(1);
        self
    }

    /// The time between a call to the store and its answer. Default 8 ms.
    #[must_use]
    pub const fn round_trip(mut self, time: Duration) -> Self {
        self.round_trip = time;
        self
    }

    /// The demand. Default 1,000 requests per second, evenly.
    #[must_use]
    pub const fn load(mut self, load: Load) -> Self {
        self.load = load;
        self
    }

    /// Adds a fault.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_ratelimit::sim::{Fault, Fleet};
    /// use obs_ratelimit::{LeaseConfig, Quota};
    ///
    /// let (from, until) = (Duration::from_secs(1), Duration::from_secs(2));
    /// let fleet = Fleet::new(Quota::per_second(100), LeaseConfig::new())
    ///     .fault(Fault::Throttling { from, until })
    ///     .fault(Fault::LostAnswers { from, until });
    /// # let _ = fleet;
    /// ```
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Runs for a time, with arrivals and jitter from `seed`.
    ///
    /// # Errors
    /// [`ConfigError`] if the quota or the configuration cannot be used.
    pub fn run_for(&self, time: Duration, seed: u64) -> Result<Report, ConfigError> {
        let mut run = Run::new(self, seed)?;
        let start = run.clock.now();
        while run.clock.now() - start < time {
            run.step(run.clock.now() - start);
            run.manual.advance(STEP);
        }
        Ok(run.report())
    }
}

/// A run under way.
struct Run<'a> {
    fleet: &'a Fleet,
    plan: SharedPlan,
    manual: ManualClock,
    clock: Clock,
    planes: Vec<TokenPlane>,
    store: MemoryStore,
    random: Random,
    /// The ideal: one counter that every request reaches at once.
    central: MemoryStore,
    /// Calls under way, by the time of their answers.
    answers: BinaryHeap<Reverse<(u64, u64)>>,
    calls: BTreeMap<u64, (usize, Ask, Result<Grant, StoreErrorKind>)>,
    waiting: Vec<VecDeque<u64>>,
    admitted: Second,
    centrally: Second,
    window: Window,
    report: Report,
}

/// The worst window of a stream of admissions.
#[derive(Default)]
struct Window {
    start: u64,
    sum: u64,
    worst: u64,
}

impl Window {
    fn add(&mut self, start: u64, count: u64) {
        if start != self.start {
            (self.start, self.sum) = (start, 0);
        }
        self.sum += count;
        self.worst = self.worst.max(self.sum);
    }
}

/// The worst second of a stream of admissions, in milliseconds.
#[derive(Default)]
struct Second {
    recent: VecDeque<(u64, u64)>,
    sum: u64,
    worst: u64,
}

impl Second {
    fn add(&mut self, now_ms: u64, count: u64) {
        while self.recent.front().is_some_and(|(at, _)| at + 1_000 <= now_ms) {
            self.sum -= self.recent.pop_front().map_or(0, |(_, count)| count);
        }
        if count > 0 {
            self.recent.push_back((now_ms, count));
            self.sum += count;
        }
        self.worst = self.worst.max(self.sum);
    }
}

impl<'a> Run<'a> {
    fn new(fleet: &'a Fleet, seed: u64) -> Result<Self, ConfigError> {
        let plan = SharedPlan::new(fleet.quota)?;
        let manual = ManualClock::default();
        let clock = manual.clock();
        let random = Random::seeded(seed);
        let plane = |_| {
            let random = Random::seeded(random.next_u64());
            TokenPlane::new(plan, fleet.config, 7, clock.clone(), random)
        };
        Ok(Self {
            fleet,
            plan,
            planes: (0..fleet.nodes).map(plane).collect::<Result<_, _>>()?,
            store: MemoryStore::new(clock.clone(), 7),
            manual,
            random,
            central: MemoryStore::new(clock.clone(), 7),
            clock,
            answers: BinaryHeap::new(),
            calls: BTreeMap::new(),
            waiting: vec![VecDeque::new(); fleet.nodes],
            admitted: Second::default(),
            centrally: Second::default(),
            window: Window::default(),
            report: Report::default(),
        })
    }

    fn now(&self) -> u64 {
        self.clock.now().as_nanos()
    }

    fn step(&mut self, at: Duration) {
        let now_ms = self.now() / 1_000_000;
        self.answer();
        let before = self.report.admitted;
        let mut central = 0;
        for node in 0..self.fleet.nodes {
            let rate = self.fleet.load.rate(node, self.fleet.nodes, at) * STEP.as_secs_f64();
            for _ in 0..self.poisson(rate) {
                self.report.requests += 1;
                let one = Take::new(StoreKey::new(1), SharedQuota { plan: self.plan }, 1);
                central += self.central.take_now(one).tokens;
                self.request(node, self.now(), at);
            }
            self.retry(node, at);
            self.give_back(node);
        }
        self.report.central += central;
        let admitted = self.report.admitted - before;
        self.admitted.add(now_ms, admitted);
        if let SharedPlan::Window(plan) = self.plan {
            self.window.add(plan.bounds(self.clock.wall().unix_nanos()).0, admitted);
        }
        self.centrally.add(now_ms, central);
    }

    /// One request, which came at `came`.
    fn request(&mut self, node: usize, came: u64, at: Duration) {
        let now = self.now();
        let key = || StoreKey::new(KEY.into());
        let time = Time { tick: now, exact: &|| now };
        let (step, ask) = self.planes[node].spend(KEY, &key, &self.plan, 1, time);
        if let Some(ask) = ask {
            self.call(node, ask, at);
        }
        let timeout = self.fleet.config.store_timeout.as_nanos();
        match step {
            Step::Await if u128::from(now - came) >= timeout => {
                let step = self.planes[node].give_up(KEY, &self.plan, 1, came, now);
                self.count(step, now - came);
            }
            Step::Await => self.waiting[node].push_back(came),
            step => self.count(step, now - came),
        }
    }

    fn count(&mut self, step: Step, waited: u64) {
        self.report.longest_wait_ms = self.report.longest_wait_ms.max(waited / 1_000_000);
        if let Step::Pass { fallback, .. } = step {
            self.report.admitted += 1;
            self.report.admitted_in_fallback += u64::from(fallback.is_some());
        }
    }

    /// Requests that wait ask again when their answer has come or their time is over.
    fn retry(&mut self, node: usize, at: Duration) {
        let now = self.now();
        let asking = self.planes[node].is_asking(KEY, now);
        let timeout = self.fleet.config.store_timeout.as_nanos();
        for came in std::mem::take(&mut self.waiting[node]) {
            if asking && u128::from(now - came) < timeout {
                self.waiting[node].push_back(came);
            } else {
                self.request(node, came, at);
            }
        }
    }

    fn call(&mut self, node: usize, ask: Ask, at: Duration) {
        let effect = self.fleet.faults.iter().find_map(|fault| fault.effect(node, at));
        let lost = (Err(StoreErrorKind::Timeout), self.fleet.config.store_timeout);
        let (result, after) = match effect {
            Some(Effect::Lost) => lost,
            Some(Effect::Throttled) => (Err(StoreErrorKind::Throttled), self.fleet.round_trip),
            effect => {
                self.report.writes += 1;
                let grant = self.store.take_now(ask.take);
                let round_trip = self.fleet.round_trip;
                if effect.is_some() || round_trip > self.fleet.config.store_timeout {
                    lost
                } else {
                    (Ok(grant), round_trip)
                }
            }
        };
        let number = self.random.next_u64();
        let due = self.now() + u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.answers.push(Reverse((due, number)));
        self.calls.insert(number, (node, ask, result));
    }

    fn answer(&mut self) {
        let now = self.now();
        while self.answers.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Some(Reverse((_, number))) = self.answers.pop() else { return };
            if let Some((node, ask, result)) = self.calls.remove(&number) {
                self.planes[node].complete(ask, &result.map_err(StoreError::new), now);
            }
        }
    }

    fn give_back(&mut self, node: usize) {
        for chore in self.planes[node].chores(self.now(), false) {
            let Chore::GiveBack(back) = chore else { continue };
            self.report.writes += 1;
            self.report.returned += back.tokens;
            self.store.give_back_now(back);
        }
    }

    /// Knuth's algorithm; rates are far below one request per step and node.
    fn poisson(&self, rate: f64) -> u32 {
        let (limit, mut product, mut count) = ((-rate).exp(), self.random.next_f64(), 0);
        while product > limit {
            product *= self.random.next_f64();
            count += 1;
        }
        count
    }

    fn report(mut self) -> Report {
        let bound = Bound::new(self.plan, &self.fleet.config);
        self.report.bound_in_a_second = bound.most_in(Duration::from_secs(1));
        self.report.worst_second = self.admitted.worst;
        self.report.worst_window = self.window.worst;
        self.report.central_worst_second = self.centrally.worst;
        self.report
    }
}
