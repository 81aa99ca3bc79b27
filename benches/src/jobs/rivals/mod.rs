//! What a user would take instead, doing equal work on the same harness.

mod collector;
mod emf;
mod http;
mod log;
mod propagate;
mod rate_limit;
mod resilience;
mod span;

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    let parts = [
        emf::jobs(),
        http::jobs(),
        log::jobs(),
        span::jobs(),
        propagate::jobs(),
        rate_limit::jobs(),
        resilience::jobs(),
    ];
    parts.into_iter().flatten().collect()
}
