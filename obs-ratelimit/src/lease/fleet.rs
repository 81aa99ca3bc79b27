//! What one node knows of the others that lease a key.

use super::LeaseConfig;
use crate::store::Grant;

/// Grants that come sooner after one another say nothing of their rate.
const SHORTEST: u64 = 1_000_000;

/// How many nodes lease the key, read from the count of grants, and how long a lease should last
/// for their writes to stay within the budget.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fleet {
    grants_seen: u32,
    nodes: f32,
    /// In microseconds; 0 as long as nothing is known.
    pace: u32,
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "nodes and pace are estimates"
)]
impl Fleet {
    /// Nodes that lease the key, once there is an estimate.
    pub(super) fn nodes(&self) -> Option<f32> {
        (self.nodes >= 1.0).then_some(self.nodes)
    }

    /// How many nanoseconds a lease is meant to last.
    pub(super) fn pace(&self, config: &LeaseConfig) -> u64 {
        match self.pace {
            0 => config.target.as_nanos() as u64,
            micros => u64::from(micros) * 1_000,
        }
    }

    /// Learns from a grant that came so many nanoseconds after the last one, if there was one.
    pub(super) fn observe(&mut self, config: &LeaseConfig, since_last: Option<u64>, grant: &Grant) {
        let seen = std::mem::replace(&mut self.grants_seen, grant.grants as u32);
        let Some(elapsed) = since_last.filter(|elapsed| *elapsed >= SHORTEST) else { return };
        if grant.tokens == 0 {
            return;
        }
        let rate = f64::from(self.grants_seen.wrapping_sub(seen)) * 1e9 / elapsed as f64;
        let pace = self.pace(config);
        let nodes = (rate * pace as f64 / 1e9).clamp(1.0, f64::from(config.max_nodes)) as f32;
        self.nodes = self.nodes().map_or(nodes, |known| 0.75 * known + 0.25 * nodes);
        let (least, most) = (config.target, config.max_age / 2);
        let pace = if rate > config.write_budget {
            pace * 3 / 2
        } else if rate < config.write_budget / 2.0 {
            pace * 9 / 10
        } else {
            pace
        };
        self.pace = (pace.clamp(least.as_nanos() as u64, most.as_nanos() as u64) / 1_000) as u32;
    }
}
