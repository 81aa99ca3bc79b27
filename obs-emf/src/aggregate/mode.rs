use obs_core::id::TraceId;

/// What becomes of events of one kind.
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
