//! How long processors worked, for this process and for the calling thread.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time that was used up to now.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// By all threads of the process, those that have ended included.
    pub process: Duration,
    /// By the calling thread.
    pub thread: Duration,
}

impl Used {
    /// As of now.
    #[must_use]
    pub fn now() -> Self {
        Self { process: read(ClockId::ProcessCPUTime), thread: read(ClockId::ThreadCPUTime) }
    }

    /// What the other threads have used since `before`.
    #[must_use]
    pub fn by_others_since(self, before: Self) -> Duration {
        let all = self.process.saturating_sub(before.process);
        all.saturating_sub(self.thread.saturating_sub(before.thread))
    }
}

fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(until: Duration) -> u64 {
        let start = Used::now().thread;
        let mut sum = 0_u64;
        while Used::now().thread - start < until {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        sum
    }

    #[test]
    fn the_work_of_another_thread_is_told_from_our_own() {
        let before = Used::now();
        work(Duration::from_millis(20));
        std::thread::spawn(|| work(Duration::from_millis(30))).join().unwrap();
        // Other tests may run beside, so there is no upper bound.
        assert!(Used::now().thread - before.thread >= Duration::from_millis(20));
        assert!(Used::now().by_others_since(before) >= Duration::from_millis(30));
    }
}
