use std::sync::atomic::Ordering;

use super::read::{Kept, Prices};
use super::write::{Written, number, written};
use super::{DynamoDbStore, TRIES};
use crate::quota::BucketPlan;
use crate::store::{GiveBack, Grant, StoreError, StoreErrorKind, StoreKey, Take};

impl DynamoDbStore {
    /// Takes tokens out of a bucket: `t` is when it is full.
    pub(super) async fn take_from_bucket(
        &self,
        take: Take,
        plan: &BucketPlan,
    ) -> Result<Grant, StoreError> {
        let now = self.now();
        let prices = Prices::new(plan, now);
        if take.want == 0 {
            return self.look_at_bucket(take, &prices).await;
        }
        let burst = plan.burst;
        // A full bucket pays the debit and still grants what is of use.
        let debit = take.debit.min(burst.saturating_sub(take.least.max(1)));
        let mut tokens = take.want.min(burst - debit);
        let mut is_idle = self.hint(take.key).load(Ordering::Relaxed) < now;
        for _ in 0..TRIES {
            let written = if is_idle {
                self.write_idle(take.key, &prices, tokens, debit).await?
            } else {
                self.write_busy(take.key, &prices, tokens, debit).await?
            };
            let kept = match written {
                Ok(kept) => {
                    self.hint(take.key).store(kept.full_at, Ordering::Relaxed);
                    return Ok(prices.granted(tokens, &kept));
                }
                Err(kept) if kept.full_at > prices.deepest() => {
                    self.write_full_at(take.key, kept.full_at, prices.deepest()).await?;
                    Kept { full_at: prices.deepest(), ..kept }
                }
                Err(kept) => kept,
            };
            self.hint(take.key).store(kept.full_at, Ordering::Relaxed);
            is_idle = kept.full_at < now;
            let there =
                if is_idle { burst - debit } else { prices.tokens_there(kept.full_at, debit) };
            tokens = take.want.min(there);
            if tokens < take.least.max(1) {
                if debit > 0 {
                    // Refused where the debt is as deep as it may get.
                    let _ = self.write_debit(take.key, &prices, debit).await?;
                }
                return Ok(prices.refused(take.least, debit, &kept));
            }
        }
        Err(StoreError::new(StoreErrorKind::Throttled))
    }

    /// Charges the debit, if there is one, and says what is left.
    async fn look_at_bucket(&self, take: Take, prices: &Prices) -> Result<Grant, StoreError> {
        let debit = take.debit.min(prices.burst);
        if debit > 0 {
            let busy = self.write_debit(take.key, prices, debit).await?;
            if let Err(kept) = busy
                && kept.full_at < prices.now
            {
                // Whoever was faster charged the bucket after it was looked at: the debit is lost.
                let _ = self.write_idle(take.key, prices, debit, 0).await?;
            }
        }
        let kept = Kept::read(self.item(take.key).await?.as_ref())?;
        let there = prices.tokens_there(kept.full_at, 0).min(prices.burst);
        if there >= take.least {
            return Ok(Grant { remaining: there, ..prices.granted(0, &kept) });
        }
        Ok(prices.refused(take.least, 0, &kept))
    }

    /// Charges a bucket in use, if it has room.
    async fn write_busy(
        &self,
        key: StoreKey,
        prices: &Prices,
        tokens: u64,
        debit: u64,
    ) -> Result<Written<Kept>, StoreError> {
        let price = prices.of(tokens + debit);
        let most = prices.now.saturating_add(prices.full).saturating_sub(price);
        let call = self
            .update(key)
            .update_expression("SET t = t + :price, x = :ttl ADD g :tokens, k :one")
            .condition_expression("t >= :now AND t <= :most")
            .expression_attribute_values(":price", number(price))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":now", number(prices.now))
            .expression_attribute_values(":tokens", number(tokens))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(prices.expires()));
        written(call.send().await, Kept::read)
    }

    /// Charges a bucket that is full, or that nobody has used.
    async fn write_idle(
        &self,
        key: StoreKey,
        prices: &Prices,
        tokens: u64,
        debit: u64,
    ) -> Result<Written<Kept>, StoreError> {
        let full_at = prices.now.saturating_add(prices.of(tokens + debit));
        let call = self
            .update(key)
            .update_expression("SET t = :full_at, x = :ttl ADD g :tokens, k :one")
            .condition_expression("attribute_not_exists(t) OR t < :now")
            .expression_attribute_values(":full_at", number(full_at))
            .expression_attribute_values(":now", number(prices.now))
            .expression_attribute_values(":tokens", number(tokens))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(prices.expires()));
        written(call.send().await, Kept::read)
    }

    /// Charges what was used already, as long as the debt is less than one more bucket.
    async fn write_debit(
        &self,
        key: StoreKey,
        prices: &Prices,
        debit: u64,
    ) -> Result<Written<Kept>, StoreError> {
        let price = prices.of(debit);
        let call = self
            .update(key)
            .update_expression("SET t = t + :price, x = :ttl ADD g :debit")
            .condition_expression("t >= :now AND t <= :most")
            .expression_attribute_values(":price", number(price))
            .expression_attribute_values(":now", number(prices.now))
            .expression_attribute_values(":most", number(prices.deepest().saturating_sub(price)))
            .expression_attribute_values(":debit", number(debit))
            .expression_attribute_values(":ttl", number(prices.expires()));
        written(call.send().await, Kept::read)
    }

    /// Puts tokens back once; a bucket that is nearly full has no use for them.
    pub(super) async fn put_back_into_bucket(
        &self,
        back: GiveBack,
        plan: &BucketPlan,
    ) -> Result<(), StoreError> {
        let prices = Prices::new(plan, self.now());
        let price = prices.of(back.tokens);
        let call = self
            .update(back.key)
            .update_expression("SET t = t - :price")
            .condition_expression("t >= :least")
            .expression_attribute_values(":price", number(price))
            .expression_attribute_values(":least", number(prices.now.saturating_add(price)));
        match written(call.send().await, Kept::read)? {
            // What is left of the debt is less than what is put back: the bucket is full now.
            Err(kept) if kept.full_at >= prices.now => {
                self.write_full_at(back.key, kept.full_at, prices.now).await
            }
            _ => Ok(()),
        }
    }

    /// Sets when a bucket is full, if nobody has set it since it was read.
    async fn write_full_at(
        &self,
        key: StoreKey,
        seen: u64,
        full_at: u64,
    ) -> Result<(), StoreError> {
        let call = self
            .update(key)
            .update_expression("SET t = :full_at")
            .condition_expression("t = :seen")
            .expression_attribute_values(":full_at", number(full_at))
            .expression_attribute_values(":seen", number(seen));
        written(call.send().await, Kept::read).map(drop)
    }
}
