use obs_core::id::TraceId;

/// What becomes of events of one kind.
///
/// ```
/// use obs_emf::aggregate::Mode;
///
/// // Gathers everything; the line of one event in 100 goes out, besides errors and the slowest.
/// let mode = Mode::Hybrid { one_in: 100 };
/// assert_ne!(mode, Mode::PerRequest);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Each event's line carries its metrics.
    #[default]
    PerRequest,
    /// Metrics go out once for each key and window; the events' lines are bare.
    Aggregated,
    /// Metrics are aggregated; lines are written for errors, for the slowest event of each key
    /// and window so far, and for one in `one_in` of the rest, each with its weight. Which of the
    /// rest is decided by the trace id, so that all services keep the same; without one, events
    /// are counted.
    Hybrid {
        /// At least 1; 0 counts as 1.
        one_in: u32,
    },
}

/// What to write of one event.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::metric::Unit;
/// use obs_emf::Shape;
/// use obs_emf::aggregate::{EventAggregator, Exemplar, Mode};
///
/// let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
/// let events = EventAggregator::new(shape, Mode::PerRequest, Clock::system());
/// let emission = events.observe(&["web"], &[3.0], &[], Exemplar::new(None, false));
/// // Each event writes its own line, with its metrics in it.
/// assert!(emission.line && emission.metrics && emission.weight.is_none());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Emission {
    /// Whether the event's line is written.
    pub line: bool,
    /// Whether the line carries the metrics.
    pub metrics: bool,
    /// How many events the line stands for; `Some` in hybrid mode, as the field `sample_weight`.
    pub weight: Option<u32>,
}

/// What makes an event worth keeping.
///
/// ```
/// use obs_emf::aggregate::Exemplar;
///
/// let failed = Exemplar::new(None, true);
/// assert!(failed.is_error);
/// assert!(Exemplar::new(None, false).notable().is_notable);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Exemplar {
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// Whether it failed: the last failed one of a window is named on the aggregated line.
    pub is_error: bool,
    /// Whether its line is written in any case.
    pub is_notable: bool,
}

impl Exemplar {
    /// The exemplar of an event; an error is notable.
    #[must_use]
    pub const fn new(trace_id: Option<TraceId>, is_error: bool) -> Self {
        Self { trace_id, is_error, is_notable: is_error }
    }

    /// Says that the event's line is written in any case.
    #[must_use]
    pub const fn notable(mut self) -> Self {
        self.is_notable = true;
        self
    }
}
