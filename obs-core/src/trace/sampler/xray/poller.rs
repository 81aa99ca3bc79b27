use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Instant;
use crate::config::ConfigError;
use crate::id::IdGenerator;

use super::api::SamplingApi;
use super::rules::Rules;

const TARGETS_INTERVAL: Duration = Duration::from_secs(10);
const MAX_TARGETS_INTERVAL: Duration = Duration::from_secs(300);
const RULES_JITTER: Duration = Duration::from_secs(5);
const TARGETS_JITTER: Duration = Duration::from_millis(100);

/// Keeps rules and quotas fresh; told the time, so that it can be tested without waiting.
#[derive(Debug)]
pub(super) struct Poller {
    rules: Arc<Rules>,
    ids: IdGenerator,
    client_id: String,
    rules_interval: Duration,
    next_rules: Option<Instant>,
    next_targets: Option<Instant>,
}

impl Poller {
    pub(super) fn new(rules: Arc<Rules>, ids: IdGenerator, rules_interval: Duration) -> Self {
        // 24 hexadecimal digits, as the API asks.
        let client_id = format!("{:016x}{:08x}", ids.random_u64(), ids.random_u64() as u32);
        Self { rules, ids, client_id, rules_interval, next_rules: None, next_targets: None }
    }

    /// Does what is due; the time until something is due again.
    pub(super) fn tick(&mut self, api: &mut dyn SamplingApi) -> Duration {
        let now = self.rules.clock().now();
        if self.next_rules.is_none_or(|due| now >= due) {
            self.fetch_rules(api, now);
        }
        let due = *self.next_targets.get_or_insert(now + TARGETS_INTERVAL);
        if now >= due {
            self.report(api, now);
        }
        let next = [self.next_rules, self.next_targets].into_iter().flatten().min();
        next.map_or(TARGETS_INTERVAL, |next| next - now).max(Duration::from_millis(10))
    }

    fn fetch_rules(&mut self, api: &mut dyn SamplingApi, now: Instant) {
        // A daemon that is not there is not an error of the service: the fallback holds meanwhile.
        if let Ok(rules) = api.rules() {
            self.rules.replace(rules);
        }
        self.next_rules = Some(now + self.jittered(self.rules_interval, RULES_JITTER));
    }

    fn report(&mut self, api: &mut dyn SamplingApi, now: Instant) {
        let mut interval = TARGETS_INTERVAL;
        let statistics = self.rules.statistics(&self.client_id);
        if !statistics.is_empty() {
            // Counts that could not be told stay for the next report.
            if let Ok(targets) = api.targets(&statistics) {
                self.rules.settle(&statistics);
                let asked = targets.targets.iter().filter_map(|target| target.interval).min();
                if let Some(seconds) = asked {
                    interval = Duration::from_secs(seconds).min(MAX_TARGETS_INTERVAL);
                }
                if self.rules.apply(&targets) {
                    self.fetch_rules(api, now);
                }
            }
        }
        self.next_targets = Some(now + self.jittered(interval, TARGETS_JITTER));
    }

    /// Up to `jitter` more or less, so that a fleet started at once does not ask at once.
    fn jittered(&self, interval: Duration, jitter: Duration) -> Duration {
        let jitter = jitter.min(interval / 2);
        let span = 2 * jitter.as_nanos() as u64 + 1;
        interval - jitter + Duration::from_nanos(self.ids.random_u64() % span)
    }
}

/// The thread that polls; it is told to end when this is dropped.
#[derive(Debug)]
pub(super) struct Handle(Arc<Stop>);

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Handle {
    pub(super) fn start(
        mut poller: Poller,
        mut api: impl SamplingApi + 'static,
    ) -> Result<Self, ConfigError> {
        let stop = Arc::new(Stop::default());
        let seen = Arc::clone(&stop);
        let work = move || {
            loop {
                let pause = poller.tick(&mut api);
                let stopped = seen.stopped.lock().unwrap_or_else(PoisonError::into_inner);
                let (stopped, _) = seen
                    .changed
                    .wait_timeout_while(stopped, pause, |stopped| !*stopped)
                    .unwrap_or_else(PoisonError::into_inner);
                if *stopped {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("obs-sampling".to_owned())
            .spawn(work)
            .map_err(|error| ConfigError::new("sampler", error, "its thread must start"))?;
        Ok(Self(stop))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        *self.0.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}
