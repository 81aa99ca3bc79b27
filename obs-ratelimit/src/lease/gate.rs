use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use obs_core::circuit::{
    CircuitBreaker, CircuitBreakerConfig, OpenWait, Permit, SlidingWindow, State,
};
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::outcome::Outcome;

use super::LeaseConfig;
use crate::local::{BucketCell, Cell};
use crate::quota::BucketPlan;
use crate::store::{Grant, StoreError, StoreErrorKind};

/// The way to a store: its circuit, the budget of calls, and what has come of them.
#[derive(Debug)]
pub(crate) struct Gate {
    breaker: CircuitBreaker,
    budget_plan: BucketPlan,
    budget: Mutex<BucketCell>,
    round_trip: AtomicU64,
    counts: Counts,
}

/// What has happened, in tokens and calls.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) leased: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) fallback: AtomicU64,
}

impl Counts {
    pub(crate) fn add(count: &AtomicU64, by: u64) {
        // Relaxed: figures, not an order.
        count.fetch_add(by, Ordering::Relaxed);
    }
}

/// The round trip assumed before the first: 8 ms.
const FIRST_ROUND_TRIP: u64 = 8_000_000;

impl Gate {
    pub(crate) fn new(config: &LeaseConfig, clock: Clock, seed: u64) -> Result<Self, ConfigError> {
        let circuit = CircuitBreakerConfig::new()
            .sliding_window(SlidingWindow::Time(Duration::from_secs(10)))
            .minimum_number_of_calls(20)
            .failure_rate_threshold(50.0)
            .without_slow_calls()
            .consecutive_failures_threshold(5)
            .permitted_calls_in_half_open(1)
            .open_wait(OpenWait::exponential(Duration::from_secs(1), Duration::from_secs(30)));
        let breaker = CircuitBreaker::builder("rate_limit_store").config(circuit).clock(clock);
        let calls = u64::from(config.calls_per_second);
        Ok(Self {
            breaker: breaker.seed(seed).build()?,
            budget_plan: BucketPlan::new(calls, Duration::from_secs(1), calls)?,
            budget: Mutex::default(),
            round_trip: AtomicU64::new(FIRST_ROUND_TRIP),
            counts: Counts::default(),
        })
    }

    /// Whether this node's budget has room for another call.
    pub(crate) fn may_call(&self, now: u64) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.spend(&self.budget_plan, now, 1).is_ok()
    }

    /// Leave to call the store; `None` while its circuit is open.
    pub(crate) fn permit(&self) -> Option<Permit> {
        let permit = self.breaker.try_acquire().ok()?;
        Counts::add(&self.counts.calls, 1);
        Some(permit)
    }

    /// Tells how a call ended.
    pub(crate) fn settle(&self, permit: Permit, result: &Result<Grant, StoreError>, took: u64) {
        match result {
            Ok(_) => {
                permit.settle(Outcome::Success);
                let before = self.round_trip.load(Ordering::Relaxed);
                self.round_trip.store(before - before / 8 + took / 8, Ordering::Relaxed);
            }
            // A store that asks for fewer calls works.
            Err(error) if error.kind() == StoreErrorKind::Throttled => permit.release(),
            Err(_) => permit.settle(Outcome::ServiceError),
        }
        if result.is_err() {
            Counts::add(&self.counts.failures, 1);
        }
    }

    /// How long the store takes to answer, in nanoseconds.
    pub(crate) fn round_trip(&self) -> u64 {
        self.round_trip.load(Ordering::Relaxed)
    }

    pub(crate) fn state(&self) -> State {
        self.breaker.state()
    }

    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }
}
