//! One thing whose cost is measured.

use std::fmt;
use std::time::Duration;

/// A job: its name, what it is compared with, and how to run it.
pub struct Job {
    /// `part/variant`, such as `observed/sampled`.
    pub name: &'static str,
    /// The job whose cost is subtracted, such as the bare router.
    pub baseline: Option<&'static str>,
    /// The job of ours that a rival does.
    pub rival_of: Option<&'static str>,
    /// The promise: `cargo bench` fails when the job costs more than this.
    pub ceiling: Option<Duration>,
    /// What we aim at, for the table.
    pub target: Option<Duration>,
    /// What we aim at in instructions, built with fat LTO.
    pub target_instructions: Option<u64>,
    /// What the rest is and why it stays, for when a target is missed.
    pub explanation: Option<&'static str>,
    /// Whether it does the same in each run, so that its instructions may be held to a budget.
    pub is_steady: bool,
    /// Whether another thread does the same all the while, so that CPU beside the working thread
    /// says nothing.
    pub is_shared: bool,
    start: Box<dyn Fn() -> Running>,
}

/// A job that was set up: does its work as many times as it is told.
pub type Running = Box<dyn FnMut(u64)>;

impl Job {
    /// A job that `start` sets up, outside of any measurement and only if it is to be run.
    pub fn new<R: FnMut(u64) + 'static>(
        name: &'static str,
        start: impl Fn() -> R + 'static,
    ) -> Self {
        let start = Box::new(move || -> Running { Box::new(start()) });
        Self {
            name,
            baseline: None,
            rival_of: None,
            ceiling: None,
            target: None,
            target_instructions: None,
            explanation: None,
            is_steady: true,
            is_shared: false,
            start,
        }
    }

    /// Counts only what the job costs beyond the job of this name.
    #[must_use]
    pub fn beyond(mut self, baseline: &'static str) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Says that runs differ: by chance, or because another thread takes part.
    #[must_use]
    pub fn unsteady(mut self) -> Self {
        self.is_steady = false;
        self
    }

    /// Says that another thread does the same all the while; such a job is unsteady too.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.is_shared = true;
        self.unsteady()
    }

    /// Says which job of ours this rival does.
    #[must_use]
    pub fn instead_of(mut self, ours: &'static str) -> Self {
        self.rival_of = Some(ours);
        self
    }

    /// Sets ceiling and target, in nanoseconds.
    #[must_use]
    pub fn within(mut self, ceiling_ns: u64, target_ns: u64) -> Self {
        self.ceiling = Some(Duration::from_nanos(ceiling_ns));
        self.target = Some(Duration::from_nanos(target_ns));
        self
    }

    /// Sets the target in instructions of a build with fat LTO.
    #[must_use]
    pub fn instructions(mut self, target: u64) -> Self {
        self.target_instructions = Some(target);
        self
    }

    /// Says what it is that the job does beyond its targets, and why. Shown where it misses one.
    #[must_use]
    pub fn explained(mut self, explanation: &'static str) -> Self {
        self.explanation = Some(explanation);
        self
    }

    /// Sets the job up.
    #[must_use]
    pub fn start(&self) -> Running {
        (self.start)()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}
