//! A budget of series: no dimension may take so many values that the bill explodes.
//!
//! CloudWatch bills each combination of a metric's name and dimension values for each hour in
//! which it gets data. A [`Guard`] counts the values that each dimension of each metric took in
//! the current period, and says what to do with values beyond the budget.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;

use crate::declare::Shape;

/// What happens to a dimension whose value is above the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The value becomes `__other__`.
    #[default]
    Other,
    /// The dimension is left out of its sets, and its value becomes a field of the line.
    Demote,
    /// The dimension sets that have the dimension are left out.
    DropSet,
}

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
        Ok(Self { budget, overflow, clock, period, warned: Mutex::default() })
    }

    /// Whether `metric` may have the `value` for `dimension`; `Some` says what to do instead.
    ///
    /// Does not allocate for a value it knows. The first refusal of a dimension in a period is
    /// reported as a warning that names it.
    pub fn admit(&self, metric: &str, dimension: &str, value: &str) -> Option<Overflow> {
        let is_over = self.clock.now() - self.read().start >= PERIOD;
        if is_over {
            self.renew();
        }
        {
            let period = self.read();
            let values = period.dimensions.get(metric).and_then(|of| of.get(dimension));
            if let Some(values) = values {
                if values.contains(value) {
                    return None;
                }
                if values.len() >= self.budget {
                    drop(period);
                    self.warn(metric, dimension);
                    return Some(self.overflow);
                }
            }
        }
        let mut period = self.period.write().unwrap_or_else(PoisonError::into_inner);
        let of_metric = period.dimensions.entry(metric.to_owned()).or_default();
        let values = of_metric.entry(dimension.to_owned()).or_default();
        if values.len() < self.budget || values.contains(value) {
            values.insert(value.to_owned());
            return None;
        }
        Some(self.overflow)
    }

    /// How many values each dimension of each metric took in this period.
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

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Period> {
        self.period.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self) {
        let mut period = self.period.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if now - period.start >= PERIOD {
            *period = Period { start: now, dimensions: HashMap::new() };
            self.warned.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn warn(&self, metric: &str, dimension: &str) {
        let name = (metric.to_owned(), dimension.to_owned());
        let is_new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        if is_new {
            tracing::warn!(
                target: "obs_emf",
                metric,
                dimension,
                budget = self.budget,
                "a dimension takes more values than its budget"
            );
        }
    }
}

/// The most series that declarations can make, for a check in CI.
///
/// ```
/// use obs_core::metric::Unit;
/// use obs_emf::Shape;
/// use obs_emf::cardinality::SeriesReport;
///
/// let shape = Shape::builder("Shop")
///     .dimension_set(["Route"])
///     .bound("Route", 20)
///     .metric(("Latency", Unit::Milliseconds))
///     .metric(("Faults", Unit::Count))
///     .build()?;
/// let report = SeriesReport::of([("requests", &shape)]);
/// assert_eq!(report.total(), Some(40));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesReport(Vec<(String, Option<u64>)>);

impl SeriesReport {
    /// The report of these declarations, each with a name to find it by.
    pub fn of<'s>(shapes: impl IntoIterator<Item = (&'s str, &'s Shape)>) -> Self {
        let line = |(name, shape): (&str, &Shape)| (name.to_owned(), shape.series_bound());
        Self(shapes.into_iter().map(line).collect())
    }

    /// The series of each declaration; `None` where a dimension has no bound.
    pub fn lines(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        self.0.iter().map(|(name, series)| (name.as_str(), *series))
    }

    /// The series of all declarations; `None` if one of them has a dimension without a bound.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.0.iter().try_fold(0_u64, |sum, line| Some(sum.saturating_add(line.1?)))
    }
}

#[cfg(test)]
mod tests {
    use obs_core::clock::ManualClock;

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
    fn a_budget_of_zero_is_an_error() {
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
