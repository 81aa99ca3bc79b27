//! Randomness as a value: jitter and spreading, never secrets.
//!
//! ```
//! use obs_core::random::Random;
//!
//! // The same seed, the same numbers: what a test wants.
//! assert_eq!(Random::seeded(7).next_u64(), Random::seeded(7).next_u64());
//! ```

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// A generator that threads share without a lock:
/// [SplitMix64](https://doi.org/10.1145/2660193.2660195), whose state is a counter.
///
/// ```
/// use obs_core::random::Random;
///
/// let (a, b) = (Random::seeded(7), Random::seeded(7));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!((0.0..1.0).contains(&a.next_f64()));
/// ```
#[derive(Debug)]
pub struct Random(AtomicU64);

impl Random {
    /// A generator seeded from the operating system.
    ///
    /// ```
    /// use obs_core::random::Random;
    ///
    /// let random = Random::system();
    /// assert_ne!(random.next_u64(), random.next_u64());
    /// ```
    #[must_use]
    pub fn system() -> Self {
        Self::seeded(RandomState::new().hash_one(0_u8))
    }

    /// A generator that always yields the same numbers.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next number.
    pub fn next_u64(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        // Relaxed: the addition alone makes each number unique; nothing is published with it.
        let mut z = self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0.0..1.0`.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
    pub fn next_f64(&self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::system()
    }
}
