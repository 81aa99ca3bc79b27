//! The jobs, one file per part of the suite.

mod emf;
mod health;
mod http;
mod log;
mod propagate;
mod rate_limit;
mod resilience;
#[cfg(feature = "rivals")]
mod rivals;
mod span;

use crate::Job;
use crate::service::telemetry;

/// Every job, baselines before what is compared with them.
#[must_use]
pub fn all() -> Vec<Job> {
    let parts = vec![
        http::jobs(),
        log::jobs(),
        emf::jobs(),
        span::jobs(),
        propagate::jobs(),
        resilience::jobs(),
        rate_limit::jobs(),
        health::jobs(),
        #[cfg(feature = "rivals")]
        rivals::jobs(),
    ];
    parts.into_iter().flatten().collect()
}
