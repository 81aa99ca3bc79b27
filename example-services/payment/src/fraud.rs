//! How much a payment looks like fraud.

use sha2::{Digest, Sha256};

/// How often the features of a payment are hashed: what makes the score cost something.
pub const ITERATIONS: u32 = 10_000;

/// From this score on a payment is not tried.
pub const SUSPECT: u8 = 90;

/// An amount, in minor units, that alone makes a payment suspect: 70,000.00.
const SUSPICIOUS_AMOUNT: u64 = 7_000_000;

/// How much a payment looks like fraud: 0 to 100; the same payment has the same score.
///
/// Up to 80 points come from the amount, up to 19 from a hash of who pays and for what. Takes some
/// milliseconds of a processor.
#[must_use]
pub fn score(user: &str, order: &str, amount_minor: u64, iterations: u32) -> u8 {
    let mut digest = Sha256::digest(format!("{user}\n{order}\n{amount_minor}"));
    for _ in 1..iterations {
        digest = Sha256::digest(digest);
    }
    let spread = digest.first().copied().unwrap_or_default() % 20;
    if amount_minor >= SUSPICIOUS_AMOUNT {
        return SUSPECT + spread / 2;
    }
    let amount = amount_minor * 70 / SUSPICIOUS_AMOUNT;
    u8::try_from(amount).unwrap_or(70) + spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_payment_has_the_same_score_within_its_range() {
        for amount in [0, 1, 2_580, 6_999_999, 7_000_000, u64::MAX] {
            let first = score("ada", "ord-1", amount, 10);
            assert_eq!(first, score("ada", "ord-1", amount, 10));
            assert!(first <= 100, "{amount}: {first}");
            assert_eq!(first >= SUSPECT, amount >= SUSPICIOUS_AMOUNT, "{amount}: {first}");
        }
    }

    #[test]
    fn every_iteration_counts() {
        let scores: Vec<_> = (1..40).map(|iterations| score("a", "o", 0, iterations)).collect();
        assert!(scores.iter().any(|score| *score != scores[0]));
    }
}
