use super::LoadShedConfig;

/// What a window of calls showed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Observation {
    /// The mean latency, in nanoseconds.
    pub(super) latency: f64,
    /// The most calls that were in flight at once.
    pub(super) in_flight: u32,
    /// Whether any call was overload.
    pub(super) overload: bool,
}

/// The limit and how it got there. It knows windows only, neither calls nor clocks.
#[derive(Debug)]
pub(super) struct Gradient {
    limit: f64,
    /// Mean latency when nobody waits, in nanoseconds; 0 until known.
    baseline: f64,
    /// Windows since the baseline was last seen.
    windows: u32,
    /// Windows in a row in which the limit fell.
    falling: u32,
    /// The limit to go back to when the baseline has been measured.
    probing_from: Option<f64>,
}

/// The limit falls by this factor when there was overload.
const OVERLOAD: f64 = 0.9;
/// The limit falls at most by this factor in one window.
const STEEPEST: f64 = 0.5;
/// The part of the limit that is left while the baseline is measured.
const PROBE: f64 = 0.5;
/// Below this part of what it was the limit has fallen, and not just settled.
const FALL: f64 = 0.97;
/// So many falls in a row call the baseline into question.
const FALLS: u32 = 3;

impl Gradient {
    pub(super) fn new(config: &LoadShedConfig) -> Self {
        Self {
            limit: f64::from(config.initial_limit),
            baseline: 0.0,
            windows: 0,
            falling: 0,
            probing_from: None,
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within u32")]
    pub(super) fn limit(&self) -> u32 {
        self.limit.round() as u32
    }

    /// The latency when nobody waits, in nanoseconds.
    pub(super) const fn baseline(&self) -> f64 {
        self.baseline
    }

    pub(super) fn clamp(&mut self, config: &LoadShedConfig) {
        self.limit = self.limit.clamp(f64::from(config.min_limit), f64::from(config.max_limit));
    }

    /// Learns from a window and sets the limit of the next.
    pub(super) fn observe(&mut self, window: Observation, config: &LoadShedConfig) {
        if let Some(limit) = self.probing_from.take() {
            self.limit = limit;
            self.learn(window.latency);
        }
        let in_the_way = f64::from(window.in_flight) * 2.0 >= self.limit;
        if !in_the_way && !window.overload {
            // Nobody waits for the limit: what calls take now is what they take.
            self.learn(window.latency);
            return;
        }
        if self.baseline == 0.0 || window.latency < self.baseline {
            self.baseline = window.latency;
        }
        let before = self.limit;
        if window.overload {
            self.limit *= OVERLOAD;
        } else {
            let gradient = config.tolerance * self.baseline / window.latency;
            self.limit = self.limit * gradient.clamp(STEEPEST, 1.0) + self.limit.sqrt();
        }
        self.clamp(config);
        self.falling = if self.limit < before * FALL { self.falling + 1 } else { 0 };
        self.windows += 1;
        if self.windows >= config.probe_windows || self.falling >= FALLS {
            self.probing_from = Some(self.limit);
            self.limit *= PROBE;
            self.clamp(config);
        }
    }

    fn learn(&mut self, latency: f64) {
        self.baseline = latency;
        (self.windows, self.falling) = (0, 0);
    }
}
