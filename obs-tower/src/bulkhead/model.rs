//! Every interleaving at the hand-over of room, by the model checker.
//!
//! `cargo xtask models` runs them.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use obs_core::clock::Instant;

use super::gate::{Entry, Gate};
use super::queue::{Claim, WaiterState};
use super::sync::Ordering;
use crate::priority::Priority;

const CLAIM: Claim = Claim { share: None, priority: Priority::Normal, deadline: None };

fn gate() -> Arc<Gate> {
    let gate = Gate::new(1);
    gate.queue_length.store(4, Ordering::Relaxed);
    Arc::new(gate)
}

fn now() -> Instant {
    Instant::default()
}

fn leave_in_another_thread(gate: &Arc<Gate>) -> loom::thread::JoinHandle<()> {
    let gate = Arc::clone(gate);
    loom::thread::spawn(move || gate.leave(None, now))
}

/// What a waiter does that gives up: it passes on what it was granted.
fn give_up(gate: &Gate, index: usize) {
    if gate.remove_waiter(index) == WaiterState::Granted {
        gate.leave(None, now);
    }
}

#[test]
fn res_b2_nobody_queues_up_unseen_by_who_leaves() {
    loom::model(|| {
        let gate = gate();
        assert_eq!(gate.enter(CLAIM, true, now()), Entry::Admitted);
        let leaving = leave_in_another_thread(&gate);
        let entry = gate.enter(CLAIM, true, now());
        leaving.join().unwrap();
        match entry {
            Entry::Admitted => {}
            Entry::Queued(index) => {
                assert_eq!(gate.poll_waiter(index, Waker::noop()), WaiterState::Granted);
            }
            Entry::Full => panic!("the queue has room"),
        }
        assert_eq!((gate.in_flight(), gate.waiting()), (1, 0));
    });
}

#[test]
fn res_b2_room_granted_to_one_who_gives_up_is_not_lost() {
    loom::model(|| {
        let gate = gate();
        assert_eq!(gate.enter(CLAIM, true, now()), Entry::Admitted);
        let Entry::Queued(index) = gate.enter(CLAIM, true, now()) else { panic!("queued") };
        let leaving = leave_in_another_thread(&gate);
        give_up(&gate, index);
        leaving.join().unwrap();
        assert_eq!((gate.in_flight(), gate.waiting()), (0, 0));
        assert_eq!(gate.enter(CLAIM, false, now()), Entry::Admitted);
    });
}

#[test]
fn res_b1_two_that_race_for_the_last_room_do_not_both_get_it() {
    loom::model(|| {
        let gate = gate();
        let other = Arc::clone(&gate);
        let other = loom::thread::spawn(move || other.enter(CLAIM, false, now()));
        let own = gate.enter(CLAIM, false, now());
        let other = other.join().unwrap();
        assert!((own == Entry::Admitted) ^ (other == Entry::Admitted));
        assert_eq!(gate.in_flight(), 1);
    });
}

#[test]
fn res_b10_a_limit_raised_while_somebody_leaves_lets_both_waiters_in() {
    loom::model(|| {
        let gate = gate();
        assert_eq!(gate.enter(CLAIM, true, now()), Entry::Admitted);
        let waiters: Vec<_> = (0..2).map(|_| gate.enter(CLAIM, true, now())).collect();
        let leaving = leave_in_another_thread(&gate);
        gate.limit.store(2, Ordering::Relaxed);
        gate.limits_changed(now() + Duration::from_secs(1));
        leaving.join().unwrap();
        for waiter in waiters {
            let Entry::Queued(index) = waiter else { panic!("queued") };
            assert_eq!(gate.poll_waiter(index, Waker::noop()), WaiterState::Granted);
        }
        assert_eq!((gate.in_flight(), gate.waiting()), (2, 0));
    });
}
