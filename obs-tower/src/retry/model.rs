//! Every interleaving at the budget, by the model checker. `cargo xtask models` runs them.

use std::sync::Arc;

use super::RetryBudget;

#[test]
fn res_r3_two_threads_and_one_token_is_one_retry() {
    loom::model(|| {
        let budget = Arc::new(RetryBudget::new(0.0, 1).unwrap());
        let other = Arc::clone(&budget);
        let other = loom::thread::spawn(move || other.withdraw(1));
        let own = budget.withdraw(1);
        assert!(own ^ other.join().unwrap());
    });
}

#[test]
fn res_r3_a_deposit_beside_a_withdrawal_is_not_lost() {
    loom::model(|| {
        let budget = Arc::new(RetryBudget::new(1.0, 2).unwrap());
        assert!(budget.withdraw(2));
        let other = Arc::clone(&budget);
        let other = loom::thread::spawn(move || other.deposit());
        let own = budget.withdraw(1);
        other.join().unwrap();
        assert_eq!(budget.tokens(), u64::from(!own));
    });
}
