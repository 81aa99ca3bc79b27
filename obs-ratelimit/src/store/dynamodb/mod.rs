//! Buckets in a DynamoDB table.

mod call;
mod read;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use obs_core::clock::Clock;

use super::{GiveBack, Grant, Store, StoreError, StoreErrorKind, StoreFuture, StoreKey, Take};
use read::{Kept, Prices};

/// Buckets in a DynamoDB table.
///
/// One item for each key, one conditional write for each take in steady state, two when a bucket
/// turns from used to idle or back. The table needs a binary partition key `pk`; its TTL attribute
/// is `x`, in seconds, and only cleans up: an item that has outlived it means the same as none.
///
/// Time is the caller's wall clock. A node whose clock is ahead of the others moves a bucket's time
/// once, not with each call. A token takes `period / limit`, rounded up to a nanosecond.
///
/// Give it a client without retries and with a short time-out of its own: what is retried may be
/// charged twice. Its calls need `dynamodb:UpdateItem` on the table, and nothing else.
///
/// ```no_run
/// use aws_sdk_dynamodb::{Client, config::retry::RetryConfig};
/// use obs_core::clock::Clock;
/// use obs_ratelimit::DynamoDbStore;
///
/// # fn example(config: aws_sdk_dynamodb::Config) {
/// let config = config.to_builder().retry_config(RetryConfig::disabled()).build();
/// let store = DynamoDbStore::new(Client::from_conf(config), "rate-limits", Clock::system());
/// # }
/// ```
#[derive(Clone)]
pub struct DynamoDbStore {
    client: Client,
    table: Arc<str>,
    clock: Clock,
    /// The latest time sent: a clock that is set back does not take time back.
    latest: Arc<AtomicU64>,
    /// Which keys were last seen full, so that the right condition is tried first.
    idle: Arc<[AtomicU64]>,
}

const IDLE_HINTS: usize = 4_096;
/// Conditions that fail because others were faster, after which the key counts as throttled.
const TRIES: usize = 6;

impl DynamoDbStore {
    /// A store in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<Arc<str>>, clock: Clock) -> Self {
        let idle = std::iter::repeat_with(AtomicU64::default).take(IDLE_HINTS).collect();
        Self { client, table: table.into(), clock, latest: Arc::default(), idle }
    }

    fn now(&self) -> u64 {
        let now = self.clock.wall().unix_nanos();
        // Relaxed: the reading stands alone and only grows.
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// When the bucket was last seen to become full.
    fn hint(&self, key: StoreKey) -> &AtomicU64 {
        &self.idle[(key.bits() % IDLE_HINTS as u128) as usize]
    }

    async fn take_tokens(self, take: Take) -> Result<Grant, StoreError> {
        let now = self.now();
        let prices = Prices::new(&take.bucket.plan, now);
        let burst = take.bucket.plan.burst;
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
            match written {
                Ok(kept) => {
                    self.hint(take.key).store(kept.full_at, Ordering::Relaxed);
                    return Ok(prices.granted(tokens, &kept));
                }
                Err(kept) => {
                    self.hint(take.key).store(kept.full_at, Ordering::Relaxed);
                    is_idle = kept.full_at < now;
                    let there = if is_idle {
                        burst - debit
                    } else {
                        prices.tokens_there(kept.full_at, debit)
                    };
                    tokens = take.want.min(there);
                    if tokens < take.least.max(1) {
                        if debit > 0 {
                            // Refused where the debt is as deep as it may get.
                            let _ = self.write_debit(take.key, &prices, debit).await?;
                        }
                        return Ok(prices.refused(take.least, debit, &kept));
                    }
                }
            }
        }
        Err(StoreError::new(StoreErrorKind::Throttled))
    }
}

impl Store for DynamoDbStore {
    fn name(&self) -> &'static str {
        "dynamodb"
    }

    fn take(&self, take: Take) -> StoreFuture<Grant> {
        Box::pin(self.clone().take_tokens(take))
    }

    fn give_back(&self, back: GiveBack) -> StoreFuture<()> {
        let this = self.clone();
        Box::pin(async move { this.write_back(back).await })
    }
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore").field("table", &self.table).finish_non_exhaustive()
    }
}
