use crate::config::ConfigError;
use crate::id::TraceId;

/// A share of all traces, chosen by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    /// Ids whose 63 bits are below this are recorded.
    bound: u64,
}

impl Ratio {
    pub(super) fn new(ratio: f64) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(ConfigError::new("ratio", ratio, "must be between 0 and 1"));
        }
        Ok(Self::clamped(ratio))
    }

    pub(super) fn clamped(ratio: f64) -> Self {
        // A float cast saturates and turns NaN into zero; 1.0 becomes 2^63, above every 63-bit value.
        Self { bound: (ratio.min(1.0) * (1_u64 << 63) as f64) as u64 }
    }

    pub(super) const fn admits(self, trace_id: TraceId) -> bool {
        ((trace_id.get() as u64) >> 1) < self.bound
    }
}
