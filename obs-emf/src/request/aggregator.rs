use std::sync::Arc;

use obs_core::clock::Clock;

use super::{ALL, LATENCY, Observation, RequestMetrics};
use crate::aggregate::{Emission, EventAggregator, Exemplar, Mode};
use crate::encode::Extra;

/// Gathers the metrics of requests by method and route; clones share their state.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_emf::aggregate::Mode;
/// use obs_emf::request::{Observation, RequestAggregator, RequestMetrics};
///
/// let metrics = RequestMetrics::builder("orders", "prod").build()?;
/// let requests = RequestAggregator::new(&metrics, Mode::Hybrid { one_in: 10 }, Clock::system());
/// let failed = Observation { fault: true, ..Observation::new("GET") };
/// assert_eq!(requests.observe(&failed, &[], false).weight, Some(1));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestAggregator(Arc<EventAggregator>);

impl RequestAggregator {
    /// Gathers what `metrics` declares.
    #[must_use]
    pub fn new(metrics: &RequestMetrics, mode: Mode, clock: Clock) -> Self {
        let mut events = EventAggregator::new(metrics.shape().clone(), mode, clock);
        if let Some(latency) = ALL.iter().position(|metric| *metric == LATENCY) {
            events = events.slowest_by(latency);
        }
        Self(Arc::new(events))
    }

    /// What gathers, for a [`Flusher`](crate::aggregate::Flusher).
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_emf::aggregate::{Drain, Mode};
    /// use obs_emf::request::{RequestAggregator, RequestMetrics};
    ///
    /// let metrics = RequestMetrics::builder("orders", "prod").build()?;
    /// let requests = RequestAggregator::new(&metrics, Mode::Aggregated, Clock::system());
    /// // What a flusher drains.
    /// assert_eq!(requests.events().size(), 0);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn events(&self) -> &Arc<EventAggregator> {
        &self.0
    }

    /// Takes a request that ended, with the metrics that its handler recorded, and says what
    /// becomes of its line. A fault is the exemplar of its window; one that `is_notable`, or a
    /// fault, keeps its line.
    pub fn observe(
        &self,
        observation: &Observation<'_>,
        extras: &[Extra<'_>],
        is_notable: bool,
    ) -> Emission {
        let exemplar = Exemplar::new(observation.trace_id, observation.fault);
        let exemplar = if is_notable { exemplar.notable() } else { exemplar };
        self.0.observe(&observation.dimensions(), &observation.values(), extras, exemplar)
    }
}
