//! The jobs, one file per part of the suite.

mod http;
mod resilience;

use crate::Job;

/// Every job, baselines before what is compared with them.
#[must_use]
pub fn all() -> Vec<Job> {
    [http::jobs(), resilience::jobs()].into_iter().flatten().collect()
}
