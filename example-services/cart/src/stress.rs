use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use obs_core::clock::Clock;
use serde::{Deserialize, Serialize};
use shop_kit::extract::{Json, Query};
use shop_kit::failure::Failure;
use shop_kit::stress::Load as Bounds;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most numbers one request may have tested: about two seconds of one processor.
const MAX_CPU_ITERATIONS: u64 = 5_000_000;

/// How many are tested when nothing is said.
const DEFAULT_CPU_ITERATIONS: u64 = 1_000;

/// The most memory one request may ask for, in MiB.
const MAX_MEMORY_MB: usize = 256;

/// How much is filled when nothing is said.
const DEFAULT_MEMORY_MB: usize = 10;

/// How long a request may work when nothing is said, in milliseconds.
const DEFAULT_DURATION_MS: u64 = 5_000;

/// After so many numbers the time is looked at.
const LOOK_EVERY: u64 = 1_024;

/// The longest time a request may ask for.
const MAX_DURATION: Duration = Bounds::MAX_DURATION;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(4);

const MIB: usize = 1024 * 1024;

/// Who may work: as many at a time as leave half of the processors to those who serve carts.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }
}

impl Turns {
    /// Waits for a turn, 4 s at most.
    ///
    /// # Errors
    /// 503 when none comes.
    async fn take(self) -> Result<OwnedSemaphorePermit, Failure> {
        let turn = tokio::time::timeout(PATIENCE, self.0.acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

fn busy() -> Failure {
    Failure::unavailable("the stress test is busy")
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Load {
    #[serde(default = "Load::default_cpu_iterations")]
    cpu_iterations: u64,
    #[serde(default = "Load::default_memory_mb")]
    memory_mb: usize,
    #[serde(default = "Load::default_duration_ms")]
    duration_ms: u64,
}

impl Load {
    const fn default_cpu_iterations() -> u64 {
        DEFAULT_CPU_ITERATIONS
    }

    const fn default_memory_mb() -> usize {
        DEFAULT_MEMORY_MB
    }

    const fn default_duration_ms() -> u64 {
        DEFAULT_DURATION_MS
    }

    /// Checks all bounds.
    ///
    /// # Errors
    /// 422 for what is out of them.
    fn check(self) -> Result<Self, Failure> {
        let longest = MAX_DURATION.as_millis() as u64;
        let in_bounds = self.cpu_iterations <= MAX_CPU_ITERATIONS
            && self.memory_mb <= MAX_MEMORY_MB
            && (1..=longest).contains(&self.duration_ms);
        if in_bounds {
            return Ok(self);
        }
        Err(Failure::unprocessable(format!(
            "cpu_iterations must be at most {MAX_CPU_ITERATIONS}, memory_mb at most {MAX_MEMORY_MB}, \
             duration_ms from 1 to {longest}"
        )))
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Done {
    /// How many numbers were tested; fewer than wanted when the time was over.
    cpu_iterations: u64,
    memory_mb: usize,
    /// How many of the numbers are prime.
    primes: u64,
    /// The length of what was held in memory, as JSON.
    json_bytes: usize,
}

/// Works the processor and fills memory, away from the threads that serve requests.
pub(crate) async fn stress(
    State(turns): State<Turns>,
    Query(load): Query<Load>,
) -> Result<Json<Done>, Failure> {
    let load = load.check()?;
    let turn = turns.take().await?;
    let work = move || {
        let clock = Clock::system();
        let end = clock.now() + Duration::from_millis(load.duration_ms);
        let done = work(load, || clock.now() >= end);
        drop(turn);
        done
    };
    obs_core::context::spawn_blocking(work).await.map(Json).map_err(|_| busy())
}

/// Finds primes, and holds `memory_mb` MiB of which each MiB is written as JSON, one at a time.
///
/// Looks for primes until all numbers are tested or the time `is_over`.
fn work(load: Load, mut is_over: impl FnMut() -> bool) -> Done {
    let memory = vec![1_u8; load.memory_mb * MIB];
    let encoded = black_box(&memory)
        .chunks(MIB)
        .map(|piece| serde_json::to_vec(&piece[..piece.len() / 16]).map_or(0, |json| json.len()));
    let json_bytes = encoded.sum();
    let (mut tested, mut primes) = (0, 0);
    while tested < load.cpu_iterations && (tested == 0 || !is_over()) {
        let until = load.cpu_iterations.min(tested + LOOK_EVERY);
        primes += (tested..until).filter(|number| is_prime(*number)).count() as u64;
        tested = until;
    }
    Done { cpu_iterations: tested, memory_mb: load.memory_mb, primes, json_bytes }
}

fn is_prime(number: u64) -> bool {
    number >= 2
        && (2..)
            .take_while(|factor| factor * factor <= number)
            .all(|factor| !number.is_multiple_of(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(cpu_iterations: u64, memory_mb: usize) -> Load {
        Load { cpu_iterations, memory_mb, duration_ms: DEFAULT_DURATION_MS }
    }

    #[test]
    fn the_work_is_what_was_asked_for() {
        let done = work(load(100, 2), || false);
        assert_eq!(done.primes, 25);
        // Each number is one digit and a comma.
        assert_eq!(done.json_bytes, 2 * (2 * MIB / 16 + 1));
    }

    #[test]
    fn nothing_is_a_load_too() {
        let done = work(load(0, 0), || false);
        assert_eq!((done.primes, done.json_bytes), (0, 0));
    }

    #[test]
    fn work_ends_when_its_time_is_over() {
        let mut looks = 0;
        let is_over = || {
            looks += 1;
            looks > 4
        };
        let done = work(load(MAX_CPU_ITERATIONS, 0), is_over);
        assert_eq!(done.cpu_iterations, 5 * LOOK_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_waited_for_but_not_for_ever() {
        let turns = Turns(Arc::new(Semaphore::new(1)));
        let first = turns.clone().take().await.unwrap();
        let second = tokio::spawn(turns.clone().take());
        tokio::time::advance(PATIENCE / 2).await;
        drop(first);
        let second = second.await.unwrap().unwrap();
        let refused = turns.take().await.unwrap_err();
        assert_eq!(refused.code(), http::StatusCode::SERVICE_UNAVAILABLE);
        drop(second);
    }

    #[tokio::test]
    async fn what_is_beyond_the_bounds_is_refused() {
        let beyond = |duration_ms| Load { duration_ms, ..load(0, 0) };
        for load in [
            load(MAX_CPU_ITERATIONS + 1, 0),
            load(0, MAX_MEMORY_MB + 1),
            load(u64::MAX, usize::MAX),
            beyond(0),
            beyond(180_001),
        ] {
            let refused = stress(State(Turns::default()), Query(load)).await.map(|_| ());
            assert_eq!(refused.unwrap_err().code(), http::StatusCode::UNPROCESSABLE_ENTITY);
        }
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let load: Load = serde_json::from_str("{}").unwrap();
        let Load { cpu_iterations, memory_mb, duration_ms } = load;
        assert_eq!((cpu_iterations, memory_mb, duration_ms), (1_000, 10, 5_000));
    }
}
