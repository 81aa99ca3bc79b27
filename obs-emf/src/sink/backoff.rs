use std::time::Duration;

use obs_core::id::IdGenerator;

/// Pauses that double, each shortened by up to a half at random, so that a fleet does not come
/// back all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    ids: IdGenerator,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration, ids: IdGenerator) -> Self {
        Self { first, longest, next: first, ids }
    }

    pub(crate) fn next_pause(&mut self) -> Duration {
        let part = (self.ids.random_u64() % 1_000) as u32;
        let half = self.next / 2;
        let pause = half + half * part / 1_000;
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    /// Begins again with the first pause.
    #[cfg(feature = "agent")]
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_vary() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, longest, IdGenerator::seeded(1));
        let pauses: Vec<_> = (0..6).map(|_| backoff.next_pause()).collect();
        assert!((first / 2..=first).contains(&pauses[0]));
        assert!(pauses[1..4].iter().zip(&pauses).all(|(next, pause)| next > &(*pause / 2)));
        assert!((longest / 2..=longest).contains(&pauses[5]));
        assert_ne!(pauses[4], pauses[5]);
        assert_eq!(backoff.first, first);
    }
}
