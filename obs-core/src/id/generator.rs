use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use super::{CorrelationId, SpanId, TraceId};
use crate::clock::{Clock, Timestamp};

/// Makes ids; clones share their state.
///
/// The ids are unique, not secret: do not use them as tokens.
///
/// ```
/// use obs_core::clock::ManualClock;
/// use obs_core::id::IdGenerator;
///
/// let clock = ManualClock::default().clock();
/// let ids = IdGenerator::seeded(1);
/// assert_eq!(ids.trace_id(&clock).epoch_seconds(), 1_767_225_600);
/// assert_ne!(ids.span_id(), ids.span_id());
/// ```
#[derive(Clone, Debug, Default)]
pub struct IdGenerator(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    ThreadLocal,
    Seeded(Arc<Mutex<Xoshiro>>),
}

thread_local! {
    static GENERATOR: RefCell<Xoshiro> = RefCell::new(Xoshiro::from_system());
}

impl IdGenerator {
    /// A generator per thread, seeded by the operating system; takes no lock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::ThreadLocal)
    }

    /// A generator whose ids follow from `seed`, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(Xoshiro::from_seed(seed)))))
    }

    /// An X-Ray shaped trace id: the seconds of the wall clock in the high 32 bits, the other 96
    /// bits random, as the
    /// [random flag](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag) asks of the low
    /// 56.
    #[must_use]
    pub fn trace_id(&self, clock: &Clock) -> TraceId {
        self.trace_id_at(clock.wall())
    }

    /// As [`trace_id`](Self::trace_id), for whoever has read the clock.
    #[must_use]
    pub fn trace_id_at(&self, now: Timestamp) -> TraceId {
        let seconds = u128::from(now.unix_seconds() as u32) << 96;
        loop {
            // A zero id needs 2^-96 luck; the loop keeps the type honest.
            if let Some(id) = TraceId::new(seconds | self.random_u128() >> 32) {
                return id;
            }
        }
    }

    /// A random span id.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        loop {
            if let Some(id) = SpanId::new(self.random_u64()) {
                return id;
            }
        }
    }

    /// A correlation id: the text of a UUID version 7, without allocation.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::id::IdGenerator;
    ///
    /// let generator = IdGenerator::system();
    /// assert_eq!(generator.correlation_id(&Clock::system()).as_str().len(), 36);
    /// assert_ne!(generator.random_u64(), generator.random_u64());
    /// ```
    #[must_use]
    pub fn correlation_id(&self, clock: &Clock) -> CorrelationId {
        self.correlation_id_at(clock.wall())
    }

    /// As [`correlation_id`](Self::correlation_id), for whoever has read the clock.
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::id::IdGenerator;
    ///
    /// let (ids, at) = (IdGenerator::system(), Timestamp::from_unix_millis(1_767_225_600_000));
    /// assert_eq!(ids.trace_id_at(at).epoch_seconds(), 1_767_225_600);
    /// assert_eq!(ids.correlation_id_at(at).as_str().len(), 36);
    /// ```
    #[must_use]
    pub fn correlation_id_at(&self, now: Timestamp) -> CorrelationId {
        CorrelationId::uuid_v7(now.unix_millis(), self.random_u128())
    }

    /// 64 random bits, not fit for secrets; for jitter and sampling.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        self.draw(Xoshiro::next)
    }

    fn random_u128(&self) -> u128 {
        self.draw(|generator| u128::from(generator.next()) << 64 | u128::from(generator.next()))
    }

    fn draw<R>(&self, draw: impl Fn(&mut Xoshiro) -> R) -> R {
        match &self.0 {
            // While a thread shuts down its generator may be gone; a fresh one serves as well.
            Source::ThreadLocal => GENERATOR
                .try_with(|generator| draw(&mut generator.borrow_mut()))
                .unwrap_or_else(|_| draw(&mut Xoshiro::from_system())),
            Source::Seeded(generator) => {
                draw(&mut generator.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}

/// [xoshiro256++](https://prng.di.unimi.it/), a fast generator with a period of 2^256 - 1.
#[derive(Clone, Debug)]
struct Xoshiro([u64; 4]);

impl Xoshiro {
    /// Seeds from the keys that the standard library draws from the operating system.
    fn from_system() -> Self {
        let keys = RandomState::new();
        let state = [0_u8, 1, 2, 3].map(|word| keys.hash_one(word));
        if state == [0; 4] { Self::from_seed(0) } else { Self(state) }
    }

    /// Seeds through SplitMix64, as the authors of xoshiro advise.
    fn from_seed(mut seed: u64) -> Self {
        let mut next = || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = seed;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        };
        Self([next(), next(), next(), next()])
    }

    #[inline]
    fn next(&mut self) -> u64 {
        let state = &mut self.0;
        let result = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn the_generator_is_xoshiro256_plus_plus() {
        // The first outputs of the authors' reference code from the state 1, 2, 3, 4.
        let mut generator = Xoshiro([1, 2, 3, 4]);
        let outputs: Vec<u64> = std::iter::repeat_with(|| generator.next()).take(4).collect();
        assert_eq!(outputs, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let clock = ManualClock::default().clock();
        let (one, other) = (IdGenerator::seeded(3), IdGenerator::seeded(3));
        assert_eq!(one.trace_id(&clock), other.trace_id(&clock));
        assert_eq!(one.correlation_id(&clock), other.correlation_id(&clock));
    }

    #[test]
    fn threads_do_not_repeat_each_other() {
        let ids = IdGenerator::system();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let ids = ids.clone();
                std::thread::spawn(move || (0..1_000).map(|_| ids.span_id()).collect::<Vec<_>>())
            })
            .collect();
        let all: HashSet<_> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), 4_000);
    }
}
