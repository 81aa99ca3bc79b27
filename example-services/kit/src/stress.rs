//! Work that a stress scenario asks for, within hard bounds and away from the threads that serve.

use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::Clock;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::failure::Failure;

/// The scenarios that may run at a time in one service.
const CONCURRENT: usize = 2;

/// How much of a scenario is run, and for how long at most.
///
/// `?scale=0.01&duration_ms=1000`; `scale` is from 0 to 1, where 1 is the whole scenario.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Load {
    /// The part of the scenario that is run. Default 0.01.
    #[serde(default = "Load::default_scale")]
    pub scale: f64,
    /// The longest time it may take, in milliseconds, 1 to 180,000. Default 5,000.
    #[serde(default = "Load::default_duration")]
    pub duration_ms: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self { scale: Self::default_scale(), duration_ms: Self::default_duration() }
    }
}

impl Load {
    /// The longest time any scenario may take: 3 minutes.
    pub const MAX_DURATION: Duration = Duration::from_secs(180);

    const fn default_scale() -> f64 {
        0.01
    }

    const fn default_duration() -> u64 {
        5_000
    }

    /// Checks both bounds.
    ///
    /// # Errors
    /// 422 for what is out of them.
    pub fn check(self) -> Result<Self, Failure> {
        let longest = u64::try_from(Self::MAX_DURATION.as_millis()).unwrap_or(u64::MAX);
        // NaN is in no range.
        if !(0.0..=1.0).contains(&self.scale) || !(1..=longest).contains(&self.duration_ms) {
            let rule = format!("scale must be from 0 to 1, duration_ms from 1 to {longest}");
            return Err(Failure::unprocessable(rule));
        }
        Ok(self)
    }

    /// So much of `whole`, at least 1 unless the scale is 0.
    #[must_use]
    pub fn of(&self, whole: u64) -> u64 {
        if self.scale == 0.0 { 0 } else { ((whole as f64 * self.scale) as u64).max(1) }
    }
}

/// What a run of a scenario did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The scenario.
    pub scenario: &'static str,
    /// The units of work that were to be done.
    pub planned: u64,
    /// How many were done; fewer than planned when the time was over.
    pub done: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// A digest of what was computed: the same work gives the same.
    pub digest: String,
}

/// Who may work: at most 2 scenarios at a time in one service; cheap to clone.
#[derive(Clone, Debug)]
pub struct Turns {
    semaphore: Arc<Semaphore>,
    clock: Clock,
}

impl Turns {
    /// Turns timed by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(CONCURRENT)), clock }
    }

    /// Does `planned` units of `work`, until they are done or the time of `load` is over.
    ///
    /// `work` gets the number of the unit and the digest so far, and gives the next digest. It
    /// runs on a thread for blocking work. Dropping the future leaves it running to its bound.
    ///
    /// # Errors
    /// 422 for a load out of bounds, 503 when two scenarios are running already.
    pub async fn run(
        &self,
        scenario: &'static str,
        load: Load,
        planned: u64,
        work: impl Fn(u64, u64) -> u64 + Send + 'static,
    ) -> Result<Report, Failure> {
        let load = load.check()?;
        let busy = || Failure::unavailable("two stress scenarios are running");
        let turn = Arc::clone(&self.semaphore).try_acquire_owned().map_err(|_| busy())?;
        let clock = self.clock.clone();
        let limit = Duration::from_millis(load.duration_ms);
        let work = move || {
            let _turn = turn;
            let began = clock.now();
            let (mut done, mut digest) = (0, 0);
            while done < planned && clock.now() - began < limit {
                digest = work(done, digest);
                done += 1;
            }
            let took = clock.now() - began;
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            Report { scenario, planned, done, took_ms, digest: format!("{digest:016x}") }
        };
        let report = obs_core::context::spawn_blocking(work).await.map_err(|_| busy())?;
        tracing::info!(scenario, planned, done = report.done, took_ms = report.took_ms, "stress");
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use obs_core::clock::ManualClock;

    use super::*;

    #[test]
    fn a_load_out_of_bounds_is_refused() {
        for (scale, duration_ms) in [(-0.1, 1), (1.1, 1), (f64::NAN, 1), (0.5, 0), (0.5, 180_001)] {
            let refused = Load { scale, duration_ms }.check().unwrap_err().into_response();
            assert_eq!(refused.status().as_u16(), 422, "{scale} {duration_ms}");
        }
        assert!(Load::default().check().is_ok());
    }

    #[test]
    fn a_scale_of_nothing_does_nothing_and_a_small_one_something() {
        let load = |scale| Load { scale, ..Load::default() };
        assert_eq!((load(0.0).of(100), load(0.0001).of(100), load(1.0).of(100)), (0, 1, 100));
    }

    #[tokio::test]
    async fn work_ends_when_it_is_done_or_its_time_is_over() {
        let time = ManualClock::default();
        let turns = Turns::new(time.clock());
        let load = Load { scale: 1.0, duration_ms: 10 };
        let whole = turns.run("test", load, 5, |number, digest| digest + number).await.unwrap();
        assert_eq!((whole.done, whole.digest.as_str()), (5, "000000000000000a"));
        let step = move |_, digest| {
            time.advance(Duration::from_millis(4));
            digest
        };
        assert_eq!(turns.run("test", load, 5, step).await.unwrap().done, 3);
    }
}
