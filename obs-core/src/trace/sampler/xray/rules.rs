use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::clock::{Clock, Instant, Timestamp};
use crate::id::TraceId;
use crate::trace::sampler::SamplingInput;
use crate::trace::sampler::ratio::Ratio;

use super::api::{Statistics, Target, Targets};
use super::reservoir::{Reservoir, Taken};
use super::rule::Rule;

/// The rules in force, with what was recorded of each. Does no I/O.
#[derive(Debug)]
pub(super) struct Rules {
    clock: Clock,
    service_type: String,
    current: RwLock<Arc<Fetched>>,
    /// For the time without rules.
    fallback: Mutex<Reservoir>,
}

/// Rules older than this are not trusted any more.
const MAX_AGE: Duration = Duration::from_secs(3600);
const FALLBACK_RATE: f64 = 0.05;

#[derive(Debug, Default)]
struct Fetched {
    at: Option<(Instant, Timestamp)>,
    rules: Vec<Arc<Counted>>,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reservoir: Reservoir,
    /// The rate of the last target; it wins over the rule's.
    fixed_rate: Option<f64>,
    requests: u64,
    sampled: u64,
    borrowed: u64,
}

impl Rules {
    pub(super) fn new(clock: Clock, service_type: String) -> Self {
        Self { clock, service_type, current: RwLock::default(), fallback: Mutex::default() }
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    fn current(&self) -> Arc<Fetched> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.current().rules.iter().map(|counted| counted.rule.name.clone()).collect()
    }

    pub(super) fn decide(&self, input: &SamplingInput<'_>) -> bool {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let current = self.current();
        let fresh = current.at.is_some_and(|(fetched, _)| now - fetched <= MAX_AGE);
        let matching = current
            .rules
            .iter()
            .filter(|_| fresh)
            .find(|counted| counted.rule.matches(input, &self.service_type));
        match matching {
            Some(counted) => counted.decide(input.trace_id, now, wall),
            None => self.fall_back(input.trace_id, now, wall),
        }
    }

    fn fall_back(&self, trace_id: TraceId, now: Instant, wall: Timestamp) -> bool {
        let borrowed = lock(&self.fallback).take(1, now, wall).is_some();
        borrowed || Ratio::clamped(FALLBACK_RATE).admits(trace_id)
    }

    /// Puts `rules` in force. One that did not change keeps its quota and its counts.
    pub(super) fn replace(&self, mut rules: Vec<Rule>) {
        rules.sort_by(|a, b| a.priority.cmp(&b.priority).then_with(|| a.name.cmp(&b.name)));
        let before = self.current();
        let keep = |rule: Rule| {
            let known = before.rules.iter().find(|counted| counted.rule == rule);
            known.cloned().unwrap_or_else(|| Arc::new(Counted { rule, state: Mutex::default() }))
        };
        let rules = rules.into_iter().map(keep).collect();
        let fetched = Fetched { at: Some((self.clock.now(), self.clock.wall())), rules };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fetched);
    }

    /// What happened since the last report, of rules with traffic.
    pub(super) fn statistics(&self, client_id: &str) -> Vec<Statistics> {
        let timestamp = self.clock.wall().unix_seconds();
        let counted = |counted: &Arc<Counted>| {
            let state = lock(&counted.state);
            (state.requests > 0).then(|| Statistics {
                client_id: client_id.to_owned(),
                rule: counted.rule.name.clone(),
                requests: state.requests,
                sampled: state.sampled,
                borrowed: state.borrowed,
                timestamp,
            })
        };
        self.current().rules.iter().filter_map(counted).collect()
    }

    /// Takes what `reported` says off the counts, once the service has it.
    pub(super) fn settle(&self, reported: &[Statistics]) {
        let current = self.current();
        for statistics in reported {
            if let Some(counted) = current.find(&statistics.rule) {
                let mut state = lock(&counted.state);
                state.requests = state.requests.saturating_sub(statistics.requests);
                state.sampled = state.sampled.saturating_sub(statistics.sampled);
                state.borrowed = state.borrowed.saturating_sub(statistics.borrowed);
            }
        }
    }

    /// Puts quotas and rates in force; whether the rules have to be fetched anew.
    pub(super) fn apply(&self, targets: &Targets) -> bool {
        let current = self.current();
        let now = self.clock.now();
        for target in &targets.targets {
            if let Some(counted) = current.find(&target.rule) {
                lock(&counted.state).apply(target, now);
            }
        }
        let fetched = current.at.map_or(0, |(_, wall)| wall.unix_seconds());
        targets.rules_are_stale || targets.last_rule_modification > fetched as f64
    }
}

impl Fetched {
    fn find(&self, name: &str) -> Option<&Arc<Counted>> {
        self.rules.iter().find(|counted| counted.rule.name == name)
    }
}

impl Counted {
    fn decide(&self, trace_id: TraceId, now: Instant, wall: Timestamp) -> bool {
        let mut state = lock(&self.state);
        state.requests += 1;
        let rate = state.fixed_rate.unwrap_or(self.rule.fixed_rate);
        let taken = state.reservoir.take(self.rule.reservoir_size, now, wall);
        state.borrowed += u64::from(taken == Some(Taken::Borrowed));
        let sampled = taken.is_some() || Ratio::clamped(rate).admits(trace_id);
        state.sampled += u64::from(sampled);
        sampled
    }
}

impl State {
    fn apply(&mut self, target: &Target, now: Instant) {
        self.fixed_rate = target.fixed_rate.or(self.fixed_rate);
        if let Some((quota, until)) = target.quota {
            // A cast of a float saturates, and turns NaN into zero.
            let until = Timestamp::from_unix_millis((until * 1000.0) as u64);
            self.reservoir.grant(quota, until, now);
        }
    }
}

/// Counts and quotas are whole after every statement under their lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
