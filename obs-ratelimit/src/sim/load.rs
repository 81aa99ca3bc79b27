use std::time::Duration;

/// How requests for one key come to the nodes.
///
/// ```
/// use obs_ratelimit::sim::{Fleet, Load};
/// use obs_ratelimit::{LeaseConfig, Quota};
///
/// // A hundred requests a second, all of which go to one node after another.
/// let fleet = Fleet::new(Quota::per_second(50), LeaseConfig::new())
///     .load(Load::Hopping { per_second: 100.0 });
/// # let _ = fleet;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Load {
    /// The same rate at every node. Unit: requests per second of the whole fleet.
    Even {
        /// Requests per second.
        per_second: f64,
    },
    /// Node `i` gets a part in proportion to `1 / (i + 1)`.
    Zipf {
        /// Requests per second of the whole fleet.
        per_second: f64,
    },
    /// A quarter of the nodes gets all, another quarter every 2 s.
    Hopping {
        /// Requests per second of the whole fleet.
        per_second: f64,
    },
    /// Nothing for 4 s, then the rate for 1 s, evenly, and so on.
    Bursts {
        /// Requests per second of the whole fleet, while there are any.
        per_second: f64,
    },
}

impl Load {
    /// Requests per second at `node` of `nodes` at a time.
    #[allow(clippy::cast_precision_loss, reason = "numbers of nodes are small")]
    pub(super) fn rate(self, node: usize, nodes: usize, at: Duration) -> f64 {
        let even = 1.0 / nodes as f64;
        match self {
            Self::Even { per_second } => per_second * even,
            Self::Zipf { per_second } => {
                let sum: f64 = (1..=nodes).map(|rank| 1.0 / rank as f64).sum();
                per_second / (node + 1) as f64 / sum
            }
            Self::Hopping { per_second } => {
                let quarter = (nodes / 4).max(1);
                let turn = (at.as_secs() / 2) as usize % nodes.div_ceil(quarter);
                let members = quarter.min(nodes - turn * quarter);
                if node / quarter == turn { per_second / members as f64 } else { 0.0 }
            }
            Self::Bursts { per_second } => {
                if at.as_secs() % 5 == 4 {
                    per_second * even
                } else {
                    0.0
                }
            }
        }
    }
}
