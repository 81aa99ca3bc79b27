//! One thing whose cost is measured.

use std::fmt;
use std::time::Duration;

/// A job: its name, what it is compared with, and how to run it.
pub struct Job {
    /// `part/variant`, such as `observed/sampled`.
    pub name: &'static str,
    /// The job whose cost is subtracted, such as the bare router.
    pub baseline: Option<&'static str>,
    /// The promise: `cargo bench` fails when the job costs more than this.
    pub ceiling: Option<Duration>,
    /// What we aim at, for the table.
    pub target: Option<Duration>,
    run: Box<dyn FnMut(u64)>,
}

impl Job {
    /// A job that does its work as many times as `run` is told.
    pub fn new(name: &'static str, run: impl FnMut(u64) + 'static) -> Self {
        Self { name, baseline: None, ceiling: None, target: None, run: Box::new(run) }
    }

    /// Counts only what the job costs beyond the job of this name.
    #[must_use]
    pub fn beyond(mut self, baseline: &'static str) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Sets ceiling and target, in nanoseconds.
    #[must_use]
    pub fn within(mut self, ceiling_ns: u64, target_ns: u64) -> Self {
        self.ceiling = Some(Duration::from_nanos(ceiling_ns));
        self.target = Some(Duration::from_nanos(target_ns));
        self
    }

    /// Does the work `times` times.
    pub fn run(&mut self, times: u64) {
        (self.run)(times);
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}
