//! What every store must do, judged through the trait alone.
//!
//! Periods are long, so that the time a run takes refills nothing; keys are new in each run.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::Clock;
use obs_ratelimit::{
    CalendarUnit, GiveBack, Grant, Hold, MemoryStore, Quota, SharedQuota, Store, StoreKey, Take,
};

pub type Subject = Arc<dyn Store>;

pub fn new_key() -> StoreKey {
    let half = || u128::from(RandomState::new().hash_one(0_u8));
    StoreKey::new(half() << 64 | half())
}

pub fn bucket(limit: u64, period: Duration, burst: u64) -> SharedQuota {
    SharedQuota::new(Quota::rate(limit, period).burst(burst)).unwrap()
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
    store.give_back(GiveBack { key, quota: bucket, tokens: 4, window: 0 }).await.unwrap();
    assert_eq!(take(&store, Take::new(key, bucket, 10)).await.tokens, 4);
    let unknown = new_key();
    store.give_back(GiveBack { key: unknown, quota: bucket, tokens: 4, window: 0 }).await.unwrap();
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

pub async fn rl_37_another_quota_takes_effect_with_the_next_take(store: Subject) {
    let key = new_key();
    let (small, large) = (bucket(10, HOUR, 10), bucket(1_000, Duration::from_secs(1), 5));
    assert_eq!(take(&store, Take::new(key, small, 10)).await.tokens, 10);
    // An hour of debt is more than the large bucket can owe, and is cut to its 10 ms.
    let mut grants = Vec::new();
    // Time is the store's own; each try takes some of it.
    for _ in 0..5_000_000 {
        grants.push(take(&store, Take::new(key, large, 1)).await.tokens);
        if grants.last() == Some(&1) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(grants.last(), Some(&1), "a raise does not wait for the old quota");
    assert_eq!(take(&store, Take::new(key, bucket(1, HOUR, 1), 10)).await.remaining, 0);
}

pub async fn a_bucket_refills_with_time(store: Subject) {
    let (key, bucket) = (new_key(), bucket(1_000, Duration::from_secs(1), 2));
    let mut tokens = 0;
    // Time is the store's own; each try takes some of it.
    for _ in 0..5_000_000 {
        tokens += take(&store, Take::new(key, bucket, 2)).await.tokens;
        if tokens > 5 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{tokens} tokens");
}

/// So long that none ends while a test runs: one began in 2010.
const WINDOW: Duration = Duration::from_secs(40 * 365 * 86_400);

fn shared(quota: Quota) -> SharedQuota {
    SharedQuota::new(quota).unwrap()
}

pub async fn rl_28_a_window_gives_its_limit_once_and_says_when_it_ends(store: Subject) {
    for quota in [Quota::fixed_window(7, WINDOW), Quota::sliding_window(7, WINDOW)] {
        let (key, quota) = (new_key(), shared(quota));
        let first = take(&store, Take::new(key, quota, 3)).await;
        assert_eq!((first.tokens, first.remaining), (3, 4));
        assert!(first.valid_for <= WINDOW && first.valid_for > Duration::from_secs(86_400));
        let mut choosy = Take::new(key, quota, 7);
        choosy.least = 5;
        assert_eq!(take(&store, choosy).await.tokens, 0, "nothing is charged");
        let rest = take(&store, Take::new(key, quota, 7)).await;
        assert_eq!((rest.tokens, rest.remaining, rest.window), (4, 0, first.window));
        let refused = take(&store, Take::new(key, quota, 1)).await;
        assert_eq!(refused.tokens, 0);
        assert!(refused.wait > Duration::from_secs(86_400), "{:?}", refused.wait);
    }
}

pub async fn rl_28_no_window_gives_more_than_its_limit_and_the_next_begins_anew(store: Subject) {
    const LENGTH: Duration = Duration::from_millis(40);
    for quota in [Quota::fixed_window(5, LENGTH), Quota::sliding_window(5, LENGTH)] {
        let (key, quota) = (new_key(), shared(quota));
        let mut given = std::collections::BTreeMap::new();
        // Time is the store's own; each try takes some of it.
        for _ in 0..5_000_000 {
            let grant = take(&store, Take::new(key, quota, 2)).await;
            *given.entry(grant.window).or_insert(0) += grant.tokens;
            if given.len() > 3 {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert!(given.len() > 3, "{given:?}");
        assert!(given.values().all(|tokens| *tokens <= 5), "{given:?}");
        assert!(given.values().sum::<u64>() > 5, "{given:?}");
    }
}

pub async fn rl_28_calendar_units_begin_at_midnight_and_on_the_first_in_utc(store: Subject) {
    let memory: Subject = Arc::new(MemoryStore::new(Clock::system(), 64));
    for unit in [CalendarUnit::Day, CalendarUnit::Month] {
        let (key, quota) = (new_key(), shared(Quota::calendar(3, unit)));
        let mut windows = Vec::new();
        for _ in 0..3 {
            // The unit may end between the two.
            let expected = take(&memory, Take::new(key, quota, 1)).await.window;
            let window = take(&store, Take::new(key, quota, 1)).await.window;
            windows.push((window, expected));
        }
        assert!(windows.iter().any(|(window, expected)| window == expected), "{windows:?}");
    }
}

pub async fn rl_15_what_is_given_back_reaches_its_own_window_only(store: Subject) {
    let (key, quota) = (new_key(), shared(Quota::fixed_window(5, WINDOW)));
    let window = take(&store, Take::new(key, quota, 5)).await.window;
    let back = GiveBack { key, quota, tokens: 2, window };
    let before = u64::try_from(WINDOW.as_nanos()).unwrap();
    store.give_back(GiveBack { window: window - before, ..back }).await.unwrap();
    assert_eq!(take(&store, Take::new(key, quota, 5)).await.tokens, 0);
    store.give_back(back).await.unwrap();
    assert_eq!(take(&store, Take::new(key, quota, 5)).await.tokens, 2);
}

pub async fn a_debit_counts_against_the_window_it_is_told_in(store: Subject) {
    let (key, quota) = (new_key(), shared(Quota::fixed_window(10, WINDOW)));
    let mut owing = Take::new(key, quota, 10);
    owing.debit = 4;
    assert_eq!(take(&store, owing).await.tokens, 6);
    assert_eq!(take(&store, owing).await.tokens, 0);
}

pub async fn a_take_of_nothing_looks_and_charges_its_debit(store: Subject) {
    for quota in [
        Quota::rate(10, HOUR).burst(10),
        Quota::fixed_window(10, WINDOW),
        Quota::sliding_window(10, WINDOW),
    ] {
        let (key, quota) = (new_key(), shared(quota));
        let look = Take::new(key, quota, 0);
        let unused = take(&store, look).await;
        assert_eq!((unused.tokens, unused.remaining), (0, 10), "{quota:?}");
        assert_eq!(take(&store, Take::new(key, quota, 3)).await.tokens, 3);
        assert_eq!(take(&store, look).await.remaining, 7, "{quota:?}");
        assert_eq!(take(&store, Take { debit: 2, ..look }).await.tokens, 0);
        assert_eq!(take(&store, look).await.remaining, 5, "{quota:?}");
        let fresh = Take { debit: 4, ..Take::new(new_key(), quota, 0) };
        take(&store, fresh).await;
        assert_eq!(take(&store, Take { debit: 0, ..fresh }).await.remaining, 6, "{quota:?}");
    }
}

pub async fn a_key_that_is_reset_is_as_if_never_used(store: Subject) {
    for quota in [Quota::rate(10, HOUR).burst(4), Quota::fixed_window(4, WINDOW)] {
        let (key, quota) = (new_key(), shared(quota));
        assert_eq!(take(&store, Take::new(key, quota, 9)).await.tokens, 4);
        store.reset(key).await.unwrap();
        assert_eq!(take(&store, Take::new(key, quota, 9)).await.tokens, 4, "{quota:?}");
    }
    let held = holding(new_key(), 1, 1);
    assert_eq!(hold(&store, Hold { want: 5, ..held }).await.tokens, 5);
    store.reset(held.key).await.unwrap();
    assert_eq!(hold(&store, Hold { holder: 2, want: 5, ..held }).await.tokens, 5);
}

/// A call by `holder` for nothing, out of five places.
fn holding(key: StoreKey, holder: u64, turn: u64) -> Hold {
    Hold { key, limit: 5, holder, turn, keep: 0, want: 0, least: 0, valid_for: HOUR }
}

async fn hold(store: &Subject, hold: Hold) -> Grant {
    store.hold(hold).await.unwrap()
}

pub async fn places_are_held_by_one_holder_each_until_they_are_let_go(store: Subject) {
    let key = new_key();
    let first = hold(&store, Hold { want: 3, ..holding(key, 1, 1) }).await;
    assert_eq!((first.tokens, first.remaining), (3, 2));
    let choosy = Hold { want: 4, least: 3, ..holding(key, 2, 1) };
    assert_eq!(hold(&store, choosy).await.tokens, 0);
    assert_eq!(hold(&store, Hold { least: 1, turn: 2, ..choosy }).await.tokens, 2);
    // The first keeps its three and wants more: there are none.
    let more = Hold { keep: 3, want: 1, least: 1, ..holding(key, 1, 2) };
    assert_eq!(hold(&store, more).await.tokens, 0);
    // It lets two go, which the second gets.
    assert_eq!(hold(&store, Hold { keep: 1, ..holding(key, 1, 3) }).await.remaining, 2);
    let second = Hold { keep: 2, want: 9, least: 1, ..holding(key, 2, 3) };
    assert_eq!(hold(&store, second).await.tokens, 2);
    assert_eq!(hold(&store, holding(key, 1, 4)).await.remaining, 1);
    assert_eq!(hold(&store, Hold { want: 9, ..holding(key, 3, 1) }).await.tokens, 1);
}

pub async fn places_of_a_holder_that_is_silent_are_free_after_their_time(store: Subject) {
    let key = new_key();
    let short = Hold { want: 5, valid_for: Duration::from_millis(30), ..holding(key, 1, 1) };
    assert_eq!(hold(&store, short).await.tokens, 5);
    // Time is the store's own; each try takes some of it.
    for turn in 1..5_000_000 {
        let got = hold(&store, Hold { want: 5, least: 5, ..holding(key, 2, turn) }).await;
        if got.tokens == 5 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the places of a dead node stay taken");
}

pub async fn a_call_for_places_that_was_overtaken_changes_nothing(store: Subject) {
    let key = new_key();
    assert_eq!(hold(&store, Hold { want: 4, ..holding(key, 1, 7) }).await.tokens, 4);
    hold(&store, Hold { keep: 1, ..holding(key, 1, 6) }).await;
    let left = hold(&store, Hold { want: 5, ..holding(key, 2, 1) }).await;
    assert_eq!(left.tokens, 1, "the four are held");
}

pub async fn places_asked_for_at_the_same_time_are_not_given_twice(store: Subject) {
    let key = new_key();
    let mut holders = tokio::task::JoinSet::new();
    for holder in 1..=8 {
        let store = store.clone();
        holders.spawn(async move {
            let mut held = 0;
            for turn in 1..=4 {
                let wanted = Hold { keep: held, want: 1, least: 1, ..holding(key, holder, turn) };
                // A store may ask for patience when many want one key; it never grants for it.
                held += store.hold(wanted).await.map_or(0, |grant| grant.tokens);
            }
            held
        });
    }
    let held: u64 = holders.join_all().await.into_iter().sum();
    assert!(held <= 5, "{held} of 5");
    let rest = hold(&store, Hold { want: 5, ..holding(key, 99, 1) }).await.tokens;
    assert_eq!(held + rest, 5);
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
            rl_37_another_quota_takes_effect_with_the_next_take
            a_bucket_refills_with_time
            rl_28_a_window_gives_its_limit_once_and_says_when_it_ends
            rl_28_no_window_gives_more_than_its_limit_and_the_next_begins_anew
            rl_28_calendar_units_begin_at_midnight_and_on_the_first_in_utc
            rl_15_what_is_given_back_reaches_its_own_window_only
            a_debit_counts_against_the_window_it_is_told_in
            a_take_of_nothing_looks_and_charges_its_debit
            a_key_that_is_reset_is_as_if_never_used
            places_are_held_by_one_holder_each_until_they_are_let_go
            places_of_a_holder_that_is_silent_are_free_after_their_time
            a_call_for_places_that_was_overtaken_changes_nothing
            places_asked_for_at_the_same_time_are_not_given_twice
        }
    };
}
