//! What threads that meet in one table can do to each other: every order of their steps.

use std::time::Duration;

use loom::sync::Arc;

use super::table::WAYS;
use super::{BucketCell, Cell, Place, Table};
use crate::quota::BucketPlan;

type Buckets = Arc<Table<BucketCell>>;

const NOW: u64 = 1_000_000_000_000;
const HOUR: u64 = 3_600_000_000_000;

fn plan(burst: u64) -> BucketPlan {
    BucketPlan::new(1, Duration::from_secs(3_600), burst).unwrap()
}

fn spend(table: &Table<BucketCell>, key: u64, now: u64, burst: u64) -> Option<Place> {
    let plan = plan(burst);
    table.with(key, now, |cell, now, place| cell.spend(&plan, *now, 1).ok().map(|_| place))
}

fn in_another_thread<T: 'static>(
    table: &Buckets,
    act: impl FnOnce(&Table<BucketCell>) -> T + 'static,
) -> loom::thread::JoinHandle<T> {
    let table = table.clone();
    loom::thread::spawn(move || act(&table))
}

#[test]
fn rl_9_threads_that_claim_a_key_at_once_share_one_bucket() {
    loom::model(|| {
        let table = Arc::new(Table::<BucketCell>::new(1));
        let other = in_another_thread(&table, |table| {
            [spend(table, 5, NOW, 3), spend(table, 5, NOW, 3)].into_iter().flatten().count()
        });
        let own =
            [spend(&table, 5, NOW, 3), spend(&table, 5, NOW, 3)].into_iter().flatten().count();
        assert_eq!(own + other.join().unwrap(), 3);
    });
}

#[test]
fn rl_12_a_key_in_debt_keeps_its_cell_while_others_look_for_one() {
    loom::model(|| {
        let table = Arc::new(Table::<BucketCell>::new(1));
        for key in 1..=WAYS as u64 {
            assert_eq!(spend(&table, key, NOW, 1), Some(Place::Own));
        }
        let other = in_another_thread(&table, |table| spend(table, 100, NOW, 2));
        assert_eq!(spend(&table, 1, NOW, 1), None, "it is in debt");
        assert_eq!(other.join().unwrap(), Some(Place::Shared));
        assert_eq!(spend(&table, 1, NOW, 1), None, "and stays it");
    });
}

#[test]
fn rl_12_a_shared_cell_that_is_fresh_again_is_counted_out_once() {
    loom::model(|| {
        let table = Arc::new(Table::<BucketCell>::new(1));
        for key in 1..=WAYS as u64 {
            spend(&table, key, NOW, 1);
        }
        spend(&table, 100, NOW, 1);
        let later = NOW + 2 * HOUR;
        let other = in_another_thread(&table, move |table| spend(table, 100, later, 1));
        let own = spend(&table, 200, later, 1);
        // All debts are paid: both get a cell of their own.
        assert_eq!((own, other.join().unwrap()), (Some(Place::Own), Some(Place::Own)));
        assert_eq!(table.shared_in_use(), 0);
    });
}

#[test]
fn rl_15_a_refund_that_meets_a_charge_gives_back_one_token() {
    loom::model(|| {
        let table = Arc::new(Table::<BucketCell>::new(1));
        let two = plan(2);
        let charged = table.with(5, NOW, |cell, now, _| cell.spend(&two, *now, 1)).unwrap();
        let other = in_another_thread(&table, |table| spend(table, 5, NOW, 2).is_some());
        table.revisit(5, NOW, Place::Own, |cell, now| cell.refund(now, charged));
        assert!(other.join().unwrap());
        let left = table.with(5, NOW, |cell, now, _| cell.standing(&two, *now).remaining);
        assert_eq!(left, 1);
    });
}
