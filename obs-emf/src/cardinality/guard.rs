use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;

use super::Overflow;

/// Counts the values of dimensions and holds them to a budget.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_emf::cardinality::{Guard, Overflow};
///
/// let guard = Guard::new(2, Overflow::Other, Clock::system())?;
/// assert_eq!(guard.admit("Latency", "Tenant", "a"), None);
/// assert_eq!(guard.admit("Latency", "Tenant", "b"), None);
/// assert_eq!(guard.admit("Latency", "Tenant", "c"), Some(Overflow::Other));
/// assert_eq!(guard.admit("Latency", "Tenant", "a"), None, "known values stay good");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Guard {
    budget: usize,
    /// The budgets of dimensions that have their own.
    budgets: HashMap<String, usize>,
    overflow: Overflow,
    clock: Clock,
    period: RwLock<Period>,
    warned: Mutex<HashSet<(String, String)>>,
}

#[derive(Debug)]
struct Period {
    start: Instant,
    dimensions: HashMap<String, HashMap<String, HashSet<String>>>,
}

impl Period {
    fn values(&self, metric: &str, dimension: &str) -> Option<&HashSet<String>> {
        self.dimensions.get(metric)?.get(dimension)
    }

    fn values_mut(&mut self, metric: &str, dimension: &str) -> &mut HashSet<String> {
        let of_metric = self.dimensions.entry(metric.to_owned()).or_default();
        of_metric.entry(dimension.to_owned()).or_default()
    }
}

/// CloudWatch bills series by the hour.
const PERIOD: Duration = Duration::from_secs(3_600);

impl Guard {
    /// A guard that allows each dimension of each metric `budget` values in an hour.
    ///
    /// # Errors
    /// [`ConfigError`] for a budget of 0.
    pub fn new(budget: usize, overflow: Overflow, clock: Clock) -> Result<Self, ConfigError> {
        if budget == 0 {
            return Err(ConfigError::new("budget", budget, "must be at least 1"));
        }
        let period = RwLock::new(Period { start: clock.now(), dimensions: HashMap::new() });
        let budgets = HashMap::new();
        Ok(Self { budget, budgets, overflow, clock, period, warned: Mutex::default() })
    }

    /// Gives one dimension a budget of its own, whatever the metric.
    ///
    /// # Errors
    /// [`ConfigError`] for a budget of 0.
    pub fn budget_of(
        mut self,
        dimension: impl Into<String>,
        budget: usize,
    ) -> Result<Self, ConfigError> {
        if budget == 0 {
            return Err(ConfigError::new("budget", budget, "must be at least 1"));
        }
        self.budgets.insert(dimension.into(), budget);
        Ok(self)
    }

    /// What happens to values above the budget.
    #[must_use]
    pub const fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// Whether `metric` may have the `value` for `dimension`; `Some` says what to do instead.
    ///
    /// Does not allocate for a value it knows. The first refusal of a dimension in a period is
    /// reported as a warning that names it.
    pub fn admit(&self, metric: &str, dimension: &str, value: &str) -> Option<Overflow> {
        let budget = self.budgets.get(dimension).copied().unwrap_or(self.budget);
        let period = self.current();
        if let Some(values) = period.values(metric, dimension) {
            if values.contains(value) {
                return None;
            }
            if values.len() >= budget {
                drop(period);
                return self.refuse(metric, dimension, budget);
            }
        }
        drop(period);
        let mut period = self.period.write().unwrap_or_else(PoisonError::into_inner);
        let values = period.values_mut(metric, dimension);
        if values.len() < budget || values.contains(value) {
            values.insert(value.to_owned());
            return None;
        }
        drop(period);
        self.refuse(metric, dimension, budget)
    }

    /// Notes that a series which was admitted in an earlier period still gets data.
    pub(crate) fn keep(&self, metric: &str, dimension: &str, value: &str) {
        let period = self.current();
        if period.values(metric, dimension).is_some_and(|values| values.contains(value)) {
            return;
        }
        drop(period);
        let mut period = self.period.write().unwrap_or_else(PoisonError::into_inner);
        period.values_mut(metric, dimension).insert(value.to_owned());
    }

    /// How many values each dimension of each metric took in this period.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_emf::cardinality::{Guard, Overflow};
    ///
    /// let guard = Guard::new(10, Overflow::Other, Clock::system())?.budget_of("Route", 200)?;
    /// assert_eq!(guard.overflow(), Overflow::Other);
    /// guard.admit("Items", "Channel", "web");
    /// assert_eq!(guard.active().values().sum::<usize>(), 1);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn active(&self) -> BTreeMap<(String, String), usize> {
        let mut active = BTreeMap::new();
        for (metric, dimensions) in &self.read().dimensions {
            for (dimension, values) in dimensions {
                active.insert((metric.clone(), dimension.clone()), values.len());
            }
        }
        active
    }

    fn read(&self) -> RwLockReadGuard<'_, Period> {
        self.period.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The period of now, which begins when the last one is over.
    fn current(&self) -> RwLockReadGuard<'_, Period> {
        let now = self.clock.now();
        let period = self.read();
        if now - period.start < PERIOD {
            return period;
        }
        drop(period);
        let mut period = self.period.write().unwrap_or_else(PoisonError::into_inner);
        if now - period.start >= PERIOD {
            *period = Period { start: now, dimensions: HashMap::new() };
            self.warned.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        drop(period);
        self.read()
    }

    #[cold]
    fn refuse(&self, metric: &str, dimension: &str, budget: usize) -> Option<Overflow> {
        self.warn(metric, dimension, budget);
        Some(self.overflow)
    }

    fn warn(&self, metric: &str, dimension: &str, budget: usize) {
        let name = (metric.to_owned(), dimension.to_owned());
        let is_new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        if is_new {
            tracing::warn!(
                target: "obs_emf",
                metric,
                dimension,
                budget,
                "a dimension takes more values than its budget"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use obs_core::clock::ManualClock;
    use obs_core::subscriber::ObsLayer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_new_period_has_a_new_budget() {
        let manual = ManualClock::default();
        let guard = Guard::new(1, Overflow::DropSet, manual.clock()).unwrap();
        assert_eq!(guard.admit("M", "D", "a"), None);
        assert_eq!(guard.admit("M", "D", "b"), Some(Overflow::DropSet));
        assert_eq!(guard.admit("M", "E", "b"), None, "each dimension has its own budget");
        assert_eq!(guard.admit("N", "D", "b"), None, "and each metric");
        assert_eq!(guard.active().len(), 3);
        manual.advance(PERIOD);
        assert_eq!(guard.admit("M", "D", "b"), None);
        assert_eq!(guard.admit("M", "D", "a"), Some(Overflow::DropSet));
    }

    #[test]
    fn a_dimension_can_have_a_budget_of_its_own() {
        let guard = Guard::new(1, Overflow::Other, Clock::system()).unwrap();
        let guard = guard.budget_of("Route", 2).unwrap();
        assert_eq!([guard.admit("M", "Route", "a"), guard.admit("M", "Route", "b")], [None, None]);
        assert_eq!(guard.admit("M", "Route", "c"), Some(Overflow::Other));
        assert_eq!(guard.admit("M", "Tenant", "a"), None);
        assert_eq!(guard.admit("M", "Tenant", "b"), Some(Overflow::Other));
    }

    #[test]
    fn what_is_kept_counts_in_the_next_period() {
        let manual = ManualClock::default();
        let guard = Guard::new(1, Overflow::Other, manual.clock()).unwrap();
        assert_eq!(guard.admit("M", "D", "a"), None);
        manual.advance(PERIOD);
        guard.keep("M", "D", "a");
        assert_eq!(guard.admit("M", "D", "b"), Some(Overflow::Other));
    }

    #[test]
    fn the_first_refusal_in_a_period_is_a_warning_that_names_the_dimension() {
        let manual = ManualClock::default();
        let (output, captured) = obs_core::output::Output::captured();
        let telemetry = obs_core::telemetry::Telemetry::builder("orders")
            .environment(obs_core::environment::Environment::empty())
            .output(output)
            .build()
            .unwrap();
        let subscriber = tracing_subscriber::registry().with(ObsLayer::alone());
        let guard = Guard::new(1, Overflow::Other, manual.clock()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let _entered = telemetry.enter();
            for value in ["a", "b", "c"] {
                guard.admit("Latency", "Tenant", value);
            }
            manual.advance(PERIOD);
            guard.admit("Latency", "Tenant", "a");
            guard.admit("Latency", "Tenant", "b");
        });
        assert!(telemetry.flush(Duration::from_secs(30)));
        let lines = captured.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in lines {
            assert!(line.contains(r#""level":"WARN""#), "{line}");
            assert!(
                line.contains(r#""metric":"Latency","dimension":"Tenant","budget":1"#),
                "{line}"
            );
        }
    }

    #[test]
    fn a_budget_of_zero_is_an_error() {
        let guard = Guard::new(1, Overflow::Other, Clock::system()).unwrap();
        assert!(guard.budget_of("D", 0).is_err());
        assert!(Guard::new(0, Overflow::Other, Clock::system()).is_err());
    }

    #[test]
    fn many_threads_stay_within_the_budget() {
        let guard = Guard::new(10, Overflow::Other, Clock::system()).unwrap();
        std::thread::scope(|scope| {
            for worker in 0..16 {
                let guard = &guard;
                scope.spawn(move || {
                    for value in 0..50 {
                        guard.admit("M", "D", &format!("{worker}-{value}"));
                    }
                });
            }
        });
        assert_eq!(guard.active().values().copied().collect::<Vec<_>>(), [10]);
    }
}
