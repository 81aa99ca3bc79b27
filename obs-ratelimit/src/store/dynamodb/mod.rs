//! Counts in a DynamoDB table.

mod bucket;
mod hold;
mod read;
mod seen;
mod window;
mod write;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use obs_core::clock::Clock;

use self::hold::Held;
use self::seen::LastSeen;
use self::window::KeptWindow;
use super::{GiveBack, Grant, Hold, Store, StoreError, StoreFuture, StoreKey, Take};
use crate::quota::SharedPlan;

/// Counts in a DynamoDB table.
///
/// One item for each key, and one conditional write for each lease in steady state. A second one is
/// needed when a bucket turns from used to idle or back, when a window begins, when less is left than
/// is wanted, and for places about once in [`place_age`](crate::LeaseConfig::place_age). The table needs a binary partition key `pk`; its TTL attribute
/// is `x`, in seconds, and only cleans up: an item that has outlived it means the same as none.
///
/// Time is the caller's wall clock. A node whose clock is ahead of the others moves a bucket's time
/// once, not with each call, and begins a window early by as much; no clock begins an old window
/// again. A token takes `period / limit`, rounded up to a nanosecond.
///
/// Give it a client without retries and with a short time-out of its own: what is retried may be
/// charged twice. Its calls need `dynamodb:UpdateItem` on the table; for an operator who looks at a
/// key or resets it also `dynamodb:GetItem` and `dynamodb:DeleteItem`.
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
    windows: Arc<LastSeen<KeptWindow>>,
    /// What this node holds of places.
    held: Arc<LastSeen<(u64, Held)>>,
}

const IDLE_HINTS: usize = 4_096;
/// Conditions that fail because others were faster, after which the key counts as throttled.
const TRIES: usize = 6;

impl DynamoDbStore {
    /// A store in `table`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<Arc<str>>, clock: Clock) -> Self {
        let idle = std::iter::repeat_with(AtomicU64::default).take(IDLE_HINTS).collect();
        let (latest, windows, held) = (Arc::default(), Arc::default(), Arc::default());
        Self { client, table: table.into(), clock, latest, idle, windows, held }
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
        match &take.quota.plan {
            SharedPlan::Bucket(plan) => self.take_from_bucket(take, plan).await,
            SharedPlan::Window(plan) => self.take_from_window(take, plan).await,
        }
    }

    async fn put_back(self, back: GiveBack) -> Result<(), StoreError> {
        match &back.quota.plan {
            SharedPlan::Bucket(plan) => self.put_back_into_bucket(back, plan).await,
            SharedPlan::Window(_) => self.put_back_into_window(back).await,
        }
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
        Box::pin(self.clone().put_back(back))
    }

    fn hold(&self, hold: Hold) -> StoreFuture<Grant> {
        Box::pin(self.clone().hold_places(hold))
    }

    fn reset(&self, key: StoreKey) -> StoreFuture<()> {
        let this = self.clone();
        Box::pin(async move { this.delete(key).await })
    }
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore").field("table", &self.table).finish_non_exhaustive()
    }
}
