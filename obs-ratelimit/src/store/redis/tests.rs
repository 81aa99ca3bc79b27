use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::quota::BucketPlan;

proptest! {
    #[test]
    fn no_product_of_a_script_passes_what_a_double_holds(
        limit in 1_u64..10_000_000,
        period in 1_u64..3_000_000_000_000_000_000,
        burst in 1_u64..10_000_000,
    ) {
        let plan = BucketPlan::new(limit, Duration::from_nanos(period), burst);
        if let Ok(plan) = plan && let Some(unit) = Unit::of_bucket(&plan) {
            let product = u128::from(burst) * u128::from(unit.period);
            prop_assert!(product * 4 < 1 << 53);
            prop_assert!(u128::from(unit.period) * u128::from(unit.micros) * 1_000 >= period.into());
        }
    }

    #[test]
    fn an_answer_without_sense_is_an_error(answer in prop::collection::vec(any::<i64>(), 0..8)) {
        let unit = Unit { micros: 1, period: 1_000_000 };
        let sensible = [4, 6].contains(&answer.len()) && answer.iter().all(|it| *it >= 0) && answer[0] <= 5;
        prop_assert_eq!(read_grant(&answer, 5, unit).is_ok(), sensible);
    }
}

#[test]
fn a_month_is_counted_in_a_coarser_unit_than_a_second() {
    let unit = |seconds, burst| {
        let plan = BucketPlan::new(burst, Duration::from_secs(seconds), burst).unwrap();
        Unit::of_bucket(&plan).map(|unit| unit.micros)
    };
    assert_eq!(unit(1, 1_000), Some(1));
    assert_eq!(unit(30 * 86_400, 500_000), Some(1_000));
    assert_eq!(unit(30 * 86_400, 1_000_000_000), None);
}

#[test]
fn a_wrong_url_is_refused_and_its_password_not_shown() {
    let error = RedisStore::single("http://user:hunter2@host").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
