//! What every store must do, judged through the trait alone.
//!
//! Periods are long, so that the time a run takes refills nothing; keys are new in each run.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use obs_ratelimit::{GiveBack, Grant, Quota, SharedBucket, Store, StoreKey, Take};

pub type Subject = Arc<dyn Store>;

pub fn new_key() -> StoreKey {
    let half = || u128::from(RandomState::new().hash_one(0_u8));
    StoreKey::new(half() << 64 | half())
}

pub fn bucket(limit: u64, period: Duration, burst: u64) -> SharedBucket {
    SharedBucket::new(Quota::rate(limit, period).burst(burst)).unwrap()
}

pub const HOUR: Duration = Duration::from_secs(3_600);

pub async fn take(store: &Subject, take: Take) -> Grant {
    store.take(take).await.unwrap()
}

pub async fn a_new_key_is_a_full_bucket_and_gives_its_burst_once(store: Subject) {
    let (key, bucket) = (new_key(), bucket(10, HOUR, 7));
    let mut tokens = 0;
    for _ in 0..20 {
        tokens += take(&store, Take::new(key, bucket, 1)).await.tokens;
    }
    assert_eq!(tokens, 7);
    assert_eq!(take(&store, Take::new(new_key(), bucket, 1)).await.tokens, 1);
}

pub async fn a_rate_that_is_no_whole_number_of_units_keeps_its_burst(store: Subject) {
    let (key, bucket) = (new_key(), bucket(7, HOUR, 7));
    for left in (0..7).rev() {
        let grant = take(&store, Take::new(key, bucket, 1)).await;
        assert_eq!((grant.tokens, grant.remaining), (1, left));
    }
    assert_eq!(take(&store, Take::new(key, bucket, 1)).await.tokens, 0);
}

pub async fn a_take_gets_what_is_there_or_nothing_below_its_least(store: Subject) {
    let (key, bucket) = (new_key(), bucket(10, HOUR, 10));
    let grant = take(&store, Take::new(key, bucket, 7)).await;
    assert_eq!((grant.tokens, grant.remaining), (7, 3));
    let mut choosy = Take::new(key, bucket, 7);
    choosy.least = 5;
    let refused = take(&store, choosy).await;
    assert_eq!((refused.tokens, refused.remaining), (0, 3), "nothing is charged");
    // Two tokens of 360 s each are missing.
    assert!(refused.wait > Duration::from_secs(690) && refused.wait <= Duration::from_secs(720));
    assert_eq!(take(&store, Take::new(key, bucket, 7)).await.tokens, 3);
}

pub async fn takes_at_the_same_time_get_no_token_twice(store: Subject) {
    let (key, bucket) = (new_key(), bucket(10, HOUR, 50));
    let mut takes = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        takes.spawn(async move {
            let mut tokens = 0;
            for _ in 0..8 {
                // A store may ask for patience when many want one key; it never grants for it.
                if let Ok(grant) = store.take(Take::new(key, bucket, 1)).await {
                    tokens += grant.tokens;
                }
            }
            tokens
        });
    }
    let tokens: u64 = takes.join_all().await.into_iter().sum();
    assert!(tokens <= 50, "{tokens}");
    let rest = take(&store, Take::new(key, bucket, 50)).await.tokens;
    assert_eq!(tokens + rest, 50);
}

pub async fn what_is_given_back_can_be_taken_again_and_no_more(store: Subject) {
    let (key, bucket) = (new_key(), bucket(10, HOUR, 10));
    assert_eq!(take(&store, Take::new(key, bucket, 10)).await.tokens, 10);
    store.give_back(GiveBack { key, bucket, tokens: 4 }).await.unwrap();
    assert_eq!(take(&store, Take::new(key, bucket, 10)).await.tokens, 4);
    let unknown = new_key();
    store.give_back(GiveBack { key: unknown, bucket, tokens: 4 }).await.unwrap();
    assert_eq!(take(&store, Take::new(unknown, bucket, 50)).await.tokens, 10);
}

pub async fn a_debit_is_charged_first_and_may_leave_a_debt(store: Subject) {
    let (key, bucket) = (new_key(), bucket(10, HOUR, 10));
    let mut owing = Take::new(key, bucket, 10);
    owing.debit = 4;
    assert_eq!(take(&store, owing).await.tokens, 6);
    let refused = take(&store, owing).await;
    assert_eq!(refused.tokens, 0);
    // Four of the debit and one to take, of 360 s each.
    let refused = take(&store, Take::new(key, bucket, 1)).await;
    assert!(refused.wait > Duration::from_secs(4 * 360), "{:?}", refused.wait);
}

pub async fn grants_are_counted(store: Subject) {
    let (key, bucket) = (new_key(), bucket(10, HOUR, 3));
    let first = take(&store, Take::new(key, bucket, 1)).await.grants;
    assert_eq!(take(&store, Take::new(key, bucket, 1)).await.grants, first + 1);
    assert_eq!(take(&store, Take::new(key, bucket, 1)).await.grants, first + 2);
    assert_eq!(take(&store, Take::new(key, bucket, 1)).await.grants, first + 2, "none was got");
}

pub async fn another_quota_takes_effect_with_the_next_take(store: Subject) {
    let key = new_key();
    let (small, large) = (bucket(10, HOUR, 10), bucket(1_000, HOUR, 100));
    assert_eq!(take(&store, Take::new(key, small, 5)).await.tokens, 5);
    // Half an hour of debt is more than the six minutes of the large bucket, and is cut to two.
    let grant = take(&store, Take::new(key, large, 1)).await;
    assert!(grant.tokens == 1 || grant.wait <= Duration::from_secs(1_800), "{grant:?}");
    assert_eq!(take(&store, Take::new(key, small, 10)).await.remaining, 0);
}

pub async fn a_bucket_refills_with_time(store: Subject) {
    let (key, bucket) = (new_key(), bucket(1_000, Duration::from_secs(1), 2));
    let mut tokens = 0;
    // Time is the store's own; each try takes some of it.
    for _ in 0..20_000 {
        tokens += take(&store, Take::new(key, bucket, 2)).await.tokens;
        if tokens > 5 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{tokens} tokens");
}

/// One test for each rule, on the store that the expression makes.
#[macro_export]
macro_rules! store_conformance {
    ($store:expr => $($rule:ident)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                support::conformance::$rule($store.await).await;
            }
        )*
    };
    ($store:expr) => {
        $crate::store_conformance! { $store =>
            a_new_key_is_a_full_bucket_and_gives_its_burst_once
            a_rate_that_is_no_whole_number_of_units_keeps_its_burst
            a_take_gets_what_is_there_or_nothing_below_its_least
            takes_at_the_same_time_get_no_token_twice
            what_is_given_back_can_be_taken_again_and_no_more
            a_debit_is_charged_first_and_may_leave_a_debt
            grants_are_counted
            another_quota_takes_effect_with_the_next_take
            a_bucket_refills_with_time
        }
    };
}
