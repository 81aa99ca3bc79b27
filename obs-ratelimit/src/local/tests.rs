use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::quota::{CalendarUnit, Plan, Quota};

const SECOND: Duration = Duration::from_secs(1);
const NANOS: u64 = 1_000_000_000;
/// 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600 * NANOS;

/// Any cell behind its plan, so that one test can judge all algorithms.
enum Any {
    Bucket(BucketCell, crate::quota::BucketPlan),
    Window(WindowCell, crate::quota::WindowPlan),
}

impl Any {
    fn new(quota: Quota) -> Self {
        match quota.plan().unwrap() {
            Plan::Bucket(plan) => Self::Bucket(BucketCell::default(), plan),
            Plan::Window(plan) => Self::Window(WindowCell::default(), plan),
            Plan::Concurrency(_) => unreachable!("no time in it"),
        }
    }

    fn spend(&mut self, now: u64, cost: u64) -> Result<Charged, Wait> {
        match self {
            Self::Bucket(cell, plan) => cell.spend(plan, now, cost),
            Self::Window(cell, plan) => cell.spend(plan, now, cost),
        }
    }

    fn refund(&mut self, now: u64, charged: Charged) {
        match self {
            Self::Bucket(cell, _) => cell.refund(now, charged),
            Self::Window(cell, _) => cell.refund(now, charged),
        }
    }

    fn standing(&self, now: u64) -> Standing {
        match self {
            Self::Bucket(cell, plan) => cell.standing(plan, now),
            Self::Window(cell, plan) => cell.standing(plan, now),
        }
    }

    /// As many single charges at `now` as pass.
    fn drain(&mut self, now: u64) -> u64 {
        let mut admitted = 0;
        while self.spend(now, 1).is_ok() {
            admitted += 1;
        }
        admitted
    }
}

fn quotas() -> impl Strategy<Value = Quota> {
    let period = (1_u64..5_000_000_000).prop_map(Duration::from_nanos);
    let limit = 1_u64..60;
    prop_oneof![
        (limit.clone(), period.clone(), 1_u64..80)
            .prop_filter("at most one per nanosecond", |(limit, period, _)| {
                u128::from(*limit) <= period.as_nanos()
            })
            .prop_map(|(limit, period, burst)| Quota::rate(limit, period).burst(burst)),
        (2_u64..60, period.clone())
            .prop_filter("at most one per nanosecond", |(limit, period)| {
                u128::from(*limit) <= period.as_nanos()
            })
            .prop_map(|(limit, period)| Quota::strict(limit, period, limit / 2)),
        (limit.clone(), period.clone()).prop_map(|(limit, it)| Quota::fixed_window(limit, it)),
        (limit.clone(), period).prop_map(|(limit, it)| Quota::sliding_window(limit, it)),
        limit.prop_map(|limit| Quota::calendar(limit, CalendarUnit::Day)),
    ]
}

/// Steps of time and costs; small and large steps, so that bursts and pauses both occur.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let step = prop_oneof![Just(0), 1_u64..1_000, 1_u64..100_000_000, 1_u64..4_000_000_000];
    prop::collection::vec((step, 0_u64..8), 1..120)
}

proptest! {
    #[test]
    fn rl_1_no_window_of_any_length_admits_more_than_the_quota_promises(
        quota in quotas(),
        arrivals in arrivals(),
    ) {
        let mut cell = Any::new(quota);
        let mut now = START;
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (step, cost) in arrivals {
            now += step;
            if cell.spend(now, cost).is_ok() {
                admitted.push((now, cost));
            }
        }
        for (first, (from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (at, cost) in &admitted[first..] {
                sum += cost;
                let most = quota.most_in(Duration::from_nanos(at - from)).unwrap();
                prop_assert!(sum <= most, "{} in {} ns, at most {}", sum, at - from, most);
            }
        }
    }

    /// The oracle keeps its level as an exact fraction: tokens times the period.
    #[test]
    fn rl_1_a_bucket_decides_like_an_exact_token_bucket(
        limit in 1_u64..1_000,
        period in 1_000_u64..10_000_000_000,
        burst in 1_u64..50,
        arrivals in arrivals(),
    ) {
        let quota = Quota::rate(limit, Duration::from_nanos(period)).burst(burst);
        let mut cell = Any::new(quota);
        let full = u128::from(burst) * u128::from(period);
        let (mut level, mut now) = (full, START);
        for (step, cost) in arrivals {
            now += step;
            level = full.min(level + u128::from(step) * u128::from(limit));
            let price = u128::from(cost) * u128::from(period);
            let expected = price <= level;
            if expected {
                level -= price;
            }
            prop_assert_eq!(cell.spend(now, cost).is_ok(), expected);
            let remaining = u64::try_from(level / u128::from(period)).unwrap();
            prop_assert_eq!(cell.standing(now).remaining, remaining);
        }
    }

    #[test]
    fn rl_18_the_wait_is_the_shortest_after_which_the_charge_passes(
        quota in quotas(),
        arrivals in arrivals(),
        cost in 1_u64..5,
    ) {
        let mut cell = Any::new(quota);
        let mut now = START;
        for (step, cost) in arrivals {
            now += step;
            let _ = cell.spend(now, cost);
        }
        if let Err(Wait::Nanos(wait)) = cell.spend(now, cost) {
            prop_assert!(wait >= 1);
            prop_assert!(cell.spend(now + wait - 1, cost).is_err(), "a nanosecond early");
            prop_assert!(cell.spend(now + wait, cost).is_ok(), "in time");
        }
    }

    #[test]
    fn rl_20_what_is_said_to_remain_can_be_used_and_no_more(
        quota in quotas(),
        arrivals in arrivals(),
    ) {
        let mut cell = Any::new(quota);
        let mut now = START;
        for (step, cost) in arrivals {
            now += step;
            let _ = cell.spend(now, cost);
            let standing = cell.standing(now);
            prop_assert!(standing.remaining <= quota.capacity());
            if standing.remaining < quota.capacity() {
                prop_assert!(standing.more_in > 0);
                let later = cell.standing(now + standing.more_in).remaining;
                prop_assert!(later > standing.remaining, "more is there when it was said to be");
            }
        }
        let remaining = cell.standing(now).remaining;
        prop_assert_eq!(cell.drain(now), remaining);
    }

    #[test]
    fn rl_15_a_refund_never_gives_more_than_was_charged(
        quota in quotas(),
        arrivals in arrivals(),
        delay in 0_u64..6_000_000_000,
    ) {
        let mut cell = Any::new(quota);
        let mut now = START;
        for (step, cost) in arrivals {
            now += step;
            let _ = cell.spend(now, cost);
        }
        if let Ok(charged) = cell.spend(now, 1) {
            let later = now + delay;
            let before = cell.standing(later).remaining;
            cell.refund(later, charged);
            let after = cell.standing(later).remaining;
            prop_assert!(after >= before && after <= before + 1, "{} then {}", before, after);
        }
    }
}

#[test]
fn rl_2_a_full_bucket_straddling_a_period_admits_twice_less_one() {
    let mut cell = Any::new(Quota::per_second(100));
    let first = cell.drain(START);
    let second: u64 = (1..100).map(|i| cell.drain(START + i * NANOS / 100)).sum();
    assert_eq!((first, second), (100, 99));
}

#[test]
fn rl_2_a_strict_quota_admits_its_limit_in_any_period() {
    let quota = Quota::strict(100, SECOND, 20);
    let mut cell = Any::new(quota);
    let admitted: Vec<u64> = (0..400).map(|i| cell.drain(START + i * NANOS / 100)).collect();
    let most = admitted.windows(100).map(|window| window.iter().sum::<u64>()).max();
    // A token takes 12.5 ms; requests come each 10 ms, and the odd half is lost to their grid.
    assert_eq!(most, Some(99));
}

#[test]
fn rl_3_what_straddles_a_boundary_is_what_the_docs_say() {
    let end = START + NANOS;
    for (quota, straddled) in [
        (Quota::fixed_window(100, SECOND), 200),
        (Quota::sliding_window(100, SECOND), 198),
        (Quota::per_second(100), 198),
        (Quota::strict(100, SECOND, 99), 99),
        (Quota::calendar(100, CalendarUnit::Day), 100),
    ] {
        let mut cell = Any::new(quota);
        // Nothing in the window but at its very end, and then at the start of the next.
        let before = cell.drain(end - 1);
        let after: u64 = (0..100).map(|i| cell.drain(end + i * (NANOS / 100) - i)).sum();
        let most = quota.most_in(SECOND).unwrap();
        assert!(before + after <= most, "{quota:?}");
        assert_eq!(before + after, straddled, "{quota:?}");
    }
}

#[test]
fn rl_4_a_rate_is_exact_over_a_thousand_million_seconds() {
    for limit in [3_u64, 7, 700_000, 600_000_001] {
        // The burst of half a million seconds is charged whole, whenever it passes.
        let burst = limit * 500_009;
        let plan = crate::quota::BucketPlan::new(limit, SECOND, burst).unwrap();
        let (mut cell, mut now, mut admitted) = (BucketCell::default(), START, 0_u128);
        while now - START < 1_000_000_000 * NANOS {
            match cell.spend(&plan, now, burst) {
                Ok(_) => admitted += u128::from(burst),
                Err(Wait::Nanos(wait)) => now += wait,
                Err(wait) => panic!("{wait:?}"),
            }
        }
        let refilled = u128::from(now - START) * u128::from(limit) / u128::from(NANOS);
        assert!(admitted <= u128::from(burst) + refilled, "{limit}: never more");
        assert!(admitted >= refilled, "{limit}: nor less");
    }
}

#[test]
fn rl_5_a_hostile_cost_is_refused_and_does_not_wrap() {
    let mut cell = Any::new(Quota::rate(1, Duration::from_secs(86_400)).burst(10));
    for cost in [11, 213_504, 213_505, 213_506, 300_000, 427_010, u64::MAX - 1, u64::MAX] {
        assert_eq!(cell.spend(START, cost), Err(Wait::Never), "cost {cost}");
    }
    assert_eq!(cell.drain(START), 10);
    // Nearly 600 years to refill: refused when it is built, not wrapped when it is used.
    assert!(Quota::per_hour(1).burst(5_200_000).plan().is_err());
}

#[test]
fn rl_6_a_cost_of_nothing_only_looks_and_one_beyond_the_burst_is_never_charged() {
    for quota in [Quota::per_second(5), Quota::fixed_window(5, SECOND)] {
        let mut cell = Any::new(quota);
        assert!(cell.spend(START, 0).is_ok());
        assert_eq!(cell.standing(START).remaining, 5);
        assert_eq!(cell.spend(START, 6), Err(Wait::Never));
        assert_eq!(cell.drain(START), 5);
        assert!(cell.spend(START, 0).is_ok());
    }
}

#[test]
fn rl_11_a_bucket_that_rested_long_enough_is_as_good_as_new() {
    let plan = crate::quota::BucketPlan::new(3, SECOND, 7).unwrap();
    let mut cell = BucketCell::default();
    cell.spend(&plan, START, 7).unwrap();
    // 7/3 s are 2,333,333,333.3 ns.
    assert!(!cell.is_fresh(START + 2_333_333_333));
    assert!(cell.is_fresh(START + 2_333_333_334));
    let mut fresh = BucketCell::default();
    let now = START + 2_333_333_334;
    assert_eq!(cell.spend(&plan, now, 7).is_ok(), fresh.spend(&plan, now, 7).is_ok());
}

#[test]
fn rl_15_a_refund_does_not_reach_the_next_window() {
    let mut cell = Any::new(Quota::fixed_window(2, SECOND));
    let charged = cell.spend(START, 1).unwrap();
    assert_eq!(cell.drain(START + NANOS), 2);
    cell.refund(START + NANOS, charged);
    assert_eq!(cell.standing(START + NANOS).remaining, 0);
}

#[test]
fn rl_37_a_quota_put_in_place_takes_effect_at_once() {
    let small = crate::quota::BucketPlan::new(100, Duration::from_secs(3_600), 100).unwrap();
    let large = crate::quota::BucketPlan::new(1_000, SECOND, 1_000).unwrap();
    let mut cell = BucketCell::default();
    cell.spend(&small, START, 100).unwrap();
    // The old quota would give nothing for 36 s; the new one refills in 2 s at the latest.
    assert!(cell.spend(&large, START + 2 * NANOS, 1_000).is_err());
    assert!(cell.spend(&large, START + 4 * NANOS, 1_000).is_ok());
    let mut cell = BucketCell::default();
    cell.spend(&large, START, 1_000).unwrap();
    assert!(cell.spend(&small, START, 1).is_ok(), "one second of debt is little in an hour");
    assert!(cell.spend(&small, START, 100).is_err());
}

fn bucket(limit: u64, burst: u64) -> crate::quota::BucketPlan {
    crate::quota::BucketPlan::new(limit, Duration::from_secs(3_600), burst).unwrap()
}

#[test]
fn rl_7_a_clock_that_jumps_back_in_one_thread_neither_grants_nor_denies() {
    let table = Table::<BucketCell>::new(table::WAYS);
    let plan = bucket(1, 10);
    let spend = |now| table.with(9, now, |cell, now, _| cell.spend(&plan, *now, 1)).is_ok();
    let now = START + 10 * NANOS;
    for i in 0..10_u64 {
        let skewed = if i.is_multiple_of(2) { now } else { now - 1_600_000_000 };
        assert!(spend(skewed), "request {i} is within the burst");
    }
    assert!(!spend(now - 1_600_000_000));
    // A jump forward grants no more than its time refills.
    assert!(spend(now + 3_600 * NANOS));
    assert!(!spend(now + 3_600 * NANOS));
}

#[test]
fn rl_9_threads_together_are_admitted_exactly_what_the_bucket_holds() {
    let table = Table::<BucketCell>::new(64);
    let (plan, admitted) = (bucket(1, 1_000), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let spent = table.with(5, START, |cell, now, _| cell.spend(&plan, *now, 1));
                    admitted.fetch_add(u64::from(spent.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 1_000);
}

#[test]
fn rl_10_a_new_window_loses_no_charge_made_at_its_start() {
    let table = Table::<WindowCell>::new(table::WAYS);
    let Plan::Window(plan) = Quota::fixed_window(500, SECOND).plan().unwrap() else {
        unreachable!("a window")
    };
    for window in 0..20 {
        let now = START + window * NANOS;
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let spent = table.with(5, now, |cell, now, _| cell.spend(&plan, *now, 1));
                        admitted.fetch_add(u64::from(spent.is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 500);
    }
}

#[test]
fn rl_12_a_flood_of_keys_never_resets_one_that_is_limited() {
    let keys = 448;
    let table = Table::<BucketCell>::new(keys);
    let plan = bucket(1, 2);
    let spend = |key: u64, now: u64| {
        // Spread over the table as a hash would.
        let fingerprint = key.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        table.with(fingerprint, now, |cell, now, _| cell.spend(&plan, *now, 1)).is_ok()
    };
    let limited: Vec<u64> = (0..keys as u64).collect();
    for key in &limited {
        while spend(*key, START) {}
    }
    let memory = table.memory();
    let mut admitted = 0_u64;
    for key in 0..10 * keys as u64 {
        admitted += u64::from(spend(1_000_000 + key, START + key));
    }
    for key in &limited {
        assert!(!spend(*key, START + NANOS), "key {key} was forgotten");
    }
    assert!(table.overflowed() > 0);
    assert_eq!(table.memory(), memory);
    // Keys without a cell of their own share: together they get no more than the shared cells.
    assert!(admitted <= 2 * (keys + table::SHARED) as u64);
    // When all debts are paid, the places are free again.
    let later = START + 3 * 3_600 * NANOS;
    assert_eq!(table.limited_keys(later), 0);
    assert!(spend(7_777_777, later));
}

#[test]
fn rl_12_a_key_that_shared_a_cell_stays_there_until_its_debt_is_paid() {
    let table = Table::<BucketCell>::new(table::WAYS);
    let plan = bucket(1, 2);
    let charge =
        |key, now, cost| table.with(key, now, |cell, now, _| cell.spend(&plan, *now, cost));
    for key in 1..=table::WAYS as u64 {
        charge(key, START, 1).unwrap();
    }
    charge(100, START, 2).unwrap();
    // They have paid after an hour; the shared cell holds two hours of debt.
    let later = START + 3_601 * NANOS;
    assert_eq!(table.limited_keys(later), 0);
    assert!(charge(100, later, 2).is_err(), "it would be forgotten in a new cell");
    assert!(charge(100, START + 7_201 * NANOS, 2).is_ok());
}

#[test]
fn a_calendar_quota_begins_anew_with_the_month() {
    let mut cell = Any::new(Quota::calendar(3, CalendarUnit::Month));
    assert_eq!(cell.drain(START), 3);
    let february = START + 31 * 86_400 * NANOS;
    assert_eq!(cell.spend(february - 1, 1), Err(Wait::Nanos(1)));
    assert_eq!(cell.drain(february), 3);
}
