use std::time::Duration;

use super::*;
use crate::{LeaseConfig, OnStoreFailure, Quota};

const SECOND: Duration = Duration::from_secs(1);

fn fleet() -> Fleet {
    Fleet::new(Quota::per_second(1_000), LeaseConfig::new())
}

fn run(fleet: &Fleet) -> Report {
    fleet.run_for(10 * SECOND, 7).unwrap()
}

const LOADS: [Load; 5] = [
    Load::Even { per_second: 800.0 },
    Load::Even { per_second: 2_000.0 },
    Load::Zipf { per_second: 2_000.0 },
    Load::Hopping { per_second: 2_000.0 },
    Load::Bursts { per_second: 5_000.0 },
];

#[test]
fn rl_26_leases_stay_within_their_bound_and_near_one_bucket_under_every_load() {
    for load in LOADS {
        let report = run(&fleet().load(load));
        assert!(report.worst_second <= report.bound_in_a_second, "{load:?}: {report}");
        // In practice they stay at what one bucket gives, which is 2,000 in its worst second.
        assert!(report.worst_second <= 2_000, "{load:?}: {report}");
        assert!(report.of_central() <= 1.01, "{load:?}: {report}");
        assert!(report.of_central() >= 0.90, "{load:?}: {report}");
        assert!(report.longest_wait_ms <= 50, "{load:?}: {report}");
    }
}

#[test]
fn writes_stay_within_the_budget_at_twenty_nodes_and_for_one_hot_key() {
    for load in LOADS {
        let report = run(&fleet().load(load));
        assert!(report.writes_per_million() <= 45_000, "{load:?}: {report}");
    }
    let hot = Fleet::new(Quota::per_second(10_000), LeaseConfig::new());
    let report = run(&hot.load(Load::Even { per_second: 10_000.0 }));
    assert!(report.writes_per_million() <= 10_000, "{report}");
}

#[test]
fn rl_28_leases_of_a_window_give_its_limit_and_no_more_under_every_load() {
    for quota in [Quota::fixed_window(5_000, 5 * SECOND), Quota::sliding_window(5_000, 5 * SECOND)]
    {
        for load in LOADS {
            let report = Fleet::new(quota, LeaseConfig::new()).load(load);
            let report = report.run_for(20 * SECOND, 7).unwrap();
            assert!(report.worst_window <= 5_000, "{quota:?}, {load:?}: {report:?}");
            assert!(report.of_central() >= 0.80, "{quota:?}, {load:?}: {report:?}");
            // The less of a window is left, the smaller are its leases. A fixed one is used up then;
            // a sliding one goes on giving token by token.
            let is_fixed = quota == Quota::fixed_window(5_000, 5 * SECOND);
            assert!(!is_fixed || report.writes_per_million() <= 75_000, "{load:?}: {report}");
        }
    }
}

#[test]
fn rl_30_keys_far_from_their_limit_cause_no_write() {
    // 1,000 an hour for each key, 20 nodes, ten requests an hour.
    let quiet = Fleet::new(Quota::per_hour(1_000), LeaseConfig::new());
    let load = Load::Even { per_second: 10.0 / 3_600.0 };
    let report = quiet.load(load).run_for(600 * SECOND, 7).unwrap();
    assert_eq!((report.writes, report.admitted), (0, report.requests));
}

#[test]
fn rl_31_in_an_outage_the_fleet_gets_its_shares_and_nobody_waits_longer_than_the_time_out() {
    let outage = Fault::Outage { from: 2 * SECOND, until: 8 * SECOND };
    for (action, admits) in [
        (OnStoreFailure::Open, 1.1..1.8),
        (OnStoreFailure::ShareLocal, 0.8..1.01),
        (OnStoreFailure::ReuseLast { max_age: 30 * SECOND }, 0.8..1.15),
        (OnStoreFailure::Closed, 0.3..0.7),
    ] {
        let config = LeaseConfig::new().on_store_failure(action);
        let fleet = Fleet::new(Quota::per_second(1_000), config).fault(outage);
        let report = run(&fleet.load(Load::Even { per_second: 2_000.0 }));
        assert!(admits.contains(&report.of_central()), "{action:?}: {report}");
        assert!(report.longest_wait_ms <= 50, "{action:?}: {report}");
        assert_eq!(report.admitted_in_fallback == 0, action == OnStoreFailure::Closed);
    }
}

#[test]
fn rl_32_lost_answers_lose_tokens_and_never_make_them() {
    let lost = Fault::LostAnswers { from: 2 * SECOND, until: 4 * SECOND };
    let config = LeaseConfig::new().on_store_failure(OnStoreFailure::Closed);
    let fleet = Fleet::new(Quota::per_second(1_000), config).fault(lost);
    let report = run(&fleet.load(Load::Even { per_second: 2_000.0 }));
    assert!(report.worst_second <= report.bound_in_a_second, "{report}");
    assert!(report.of_central() < 1.0, "{report}");
}

#[test]
fn rl_29_a_partition_is_bounded_by_the_shares_of_the_nodes_cut_off() {
    let partition = Fault::Partition { nodes: 5, from: 2 * SECOND, until: 8 * SECOND };
    let config = LeaseConfig::new().on_store_failure(OnStoreFailure::ShareLocal);
    let fleet = Fleet::new(Quota::per_second(1_000), config).fault(partition);
    let report = run(&fleet.load(Load::Even { per_second: 2_000.0 }));
    // A quarter of the nodes may use their part a second time.
    assert!(report.of_central() <= 1.4, "{report}");
}

#[test]
fn rl_35_a_dry_key_asks_the_store_a_bounded_number_of_times_whatever_the_load() {
    let dry = |per_second| {
        let fleet = Fleet::new(Quota::per_minute(60), LeaseConfig::new());
        run(&fleet.load(Load::Even { per_second })).writes
    };
    let (much, more) = (dry(2_000.0), dry(20_000.0));
    assert!(more <= much * 3 / 2 + 20, "{much} writes at 2,000/s, {more} at 20,000/s");
    assert!(more < 20 * 10 * 10, "{more}");
}

#[test]
fn rl_36_after_an_outage_the_nodes_come_back_spread_out() {
    let outage = Fault::Outage { from: SECOND, until: 3 * SECOND };
    let with = run(&fleet().fault(outage).load(Load::Even { per_second: 800.0 }));
    let without = run(&fleet().load(Load::Even { per_second: 800.0 }));
    assert!(with.writes <= without.writes * 11 / 10, "{} against {}", with.writes, without.writes);
}

#[test]
fn throttling_is_no_outage() {
    let throttling = Fault::Throttling { from: 2 * SECOND, until: 4 * SECOND };
    let report = run(&fleet().fault(throttling).load(Load::Even { per_second: 800.0 }));
    assert_eq!(report.admitted, report.requests, "{report}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let fleet = fleet().load(Load::Zipf { per_second: 1_500.0 });
    let report = |seed| fleet.run_for(SECOND, seed).unwrap();
    assert_eq!(report(3), report(3));
    assert_ne!(report(3), report(4));
}
