//! What a user would take instead, doing equal work on the same harness.

mod http;
mod log;
mod propagate;
mod span;

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    [http::jobs(), log::jobs(), span::jobs(), propagate::jobs()].into_iter().flatten().collect()
}
