//! A fleet in virtual time: the code that runs in production, a store with a round trip and
//! faults, and demand from a seed. The same seed gives the same run.
//!
//! ```
//! use std::time::Duration;
//! use obs_ratelimit::sim::{Fleet, Load};
//! use obs_ratelimit::{LeaseConfig, Quota};
//!
//! let report = Fleet::new(Quota::per_second(1_000), LeaseConfig::new())
//!     .nodes(20)
//!     .load(Load::Even { per_second: 2_000.0 })
//!     .run_for(Duration::from_secs(5), 7)?;
//! assert!(report.worst_second <= report.bound_in_a_second);
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod fault;
mod fleet;
mod load;
mod report;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use fleet::Fleet;
pub use load::Load;
pub use report::Report;
