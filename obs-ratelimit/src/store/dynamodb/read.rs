use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::quota::BucketPlan;
use crate::store::{Grant, StoreError, StoreErrorKind};

/// What an item holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// When the bucket is full, in nanoseconds since the Unix epoch; 0 for no item.
    pub(super) full_at: u64,
    /// How many takes got tokens.
    pub(super) grants: u64,
}

impl Kept {
    /// Reads an item. A number that is none is an error: only an item that is not there counts as
    /// a full bucket.
    pub(super) fn read(item: Option<&HashMap<String, AttributeValue>>) -> Result<Self, StoreError> {
        let Some(item) = item else { return Ok(Self::default()) };
        Ok(Self { full_at: read_number(item, "t")?, grants: read_number(item, "k")? })
    }
}

/// A number of an item; 0 where there is none of this name.
pub(super) fn read_number(
    item: &HashMap<String, AttributeValue>,
    name: &str,
) -> Result<u64, StoreError> {
    match item.get(name) {
        None => Ok(0),
        Some(AttributeValue::N(text)) => {
            text.parse().map_err(|error| StoreError::because(StoreErrorKind::Garbled, error))
        }
        Some(_) => Err(StoreError::new(StoreErrorKind::Garbled)),
    }
}

/// A quota as times at `now`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prices {
    pub(super) now: u64,
    /// The time of one token, rounded up.
    pub(super) step: u64,
    /// The time from empty to full.
    pub(super) full: u64,
    pub(super) burst: u64,
}

impl Prices {
    pub(super) fn new(plan: &BucketPlan, now: u64) -> Self {
        let step = plan.period.div_ceil(plan.limit);
        Self { now, step, full: step.saturating_mul(plan.burst), burst: plan.burst }
    }

    pub(super) fn of(&self, tokens: u64) -> u64 {
        self.step.saturating_mul(tokens)
    }

    /// The latest time at which a bucket can be full: a debt deeper than two buckets is of another
    /// quota.
    pub(super) fn deepest(&self) -> u64 {
        self.now.saturating_add(self.full.saturating_mul(2))
    }

    /// The tokens in a bucket that is full at `full_at`, after `debit`.
    pub(super) fn tokens_there(&self, full_at: u64, debit: u64) -> u64 {
        let until = self.now.saturating_add(self.full);
        until.saturating_sub(full_at.max(self.now)).saturating_sub(self.of(debit)) / self.step
    }

    pub(super) fn granted(&self, tokens: u64, kept: &Kept) -> Grant {
        let remaining = self.tokens_there(kept.full_at, 0).min(self.burst);
        Grant { tokens, remaining, ..answer(kept, Duration::ZERO) }
    }

    pub(super) fn refused(&self, least: u64, debit: u64, kept: &Kept) -> Grant {
        let full_at = kept.full_at.max(self.now).saturating_add(self.of(debit));
        let needed = full_at.saturating_add(self.of(least.max(1)));
        let wait = needed.saturating_sub(self.now.saturating_add(self.full));
        let remaining = self.tokens_there(kept.full_at, debit);
        Grant { remaining, ..answer(kept, Duration::from_nanos(wait)) }
    }

    /// Seconds after which the item may be cleaned up: an hour after it could matter.
    pub(super) fn expires(&self) -> u64 {
        self.now.saturating_add(self.full.saturating_mul(2)) / 1_000_000_000 + 3_600
    }
}

const fn answer(kept: &Kept, wait: Duration) -> Grant {
    let (grants, valid_for) = (kept.grants, Duration::MAX);
    Grant { tokens: 0, remaining: 0, wait, grants, window: 0, valid_for }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl_33_only_an_item_that_is_not_there_is_a_full_bucket() {
        assert_eq!(Kept::read(None).unwrap(), Kept::default());
        let item = |value| HashMap::from([("t".to_owned(), value)]);
        for garbage in [
            AttributeValue::N("soon".to_owned()),
            AttributeValue::N("-1".to_owned()),
            AttributeValue::S("1".to_owned()),
            AttributeValue::Null(true),
        ] {
            let error = Kept::read(Some(&item(garbage))).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Garbled);
        }
        let kept = Kept::read(Some(&item(AttributeValue::N("7".to_owned())))).unwrap();
        assert_eq!(kept.full_at, 7);
    }

    #[test]
    fn rl_34_an_item_is_never_cleaned_up_while_it_counts() {
        let month = BucketPlan::new(1_000, Duration::from_secs(30 * 86_400), 1_000).unwrap();
        let prices = Prices::new(&month, 1_767_225_600_000_000_000);
        assert!(prices.expires() >= 1_767_225_600 + 2 * 30 * 86_400);
    }
}
