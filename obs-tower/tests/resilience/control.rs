//! What operators change, while others change something else.

use std::sync::Barrier;

use obs_core::control::{Action, Control};
use obs_tower::retry::Retry;
use serde_json::Value;

use crate::support::{Patterns, clock};

/// Two operators turn two knobs back and forth. What one has set nobody but he sets back.
fn two_operators(control: &dyn Control, knobs: [(&str, [Value; 2]); 2]) {
    let together = &Barrier::new(2);
    std::thread::scope(|scope| {
        for (knob, values) in &knobs {
            scope.spawn(move || {
                together.wait();
                for value in values.iter().cycle().take(2_000) {
                    let action = Action::new("configure").argument(*knob, value.clone());
                    control.apply(&action).unwrap();
                    assert_eq!(control.snapshot()["config"][*knob], *value, "{knob}");
                }
            });
        }
    });
}

fn numbers(one: u32, other: u32) -> [Value; 2] {
    [one.into(), other.into()]
}

fn switch() -> [Value; 2] {
    [true.into(), false.into()]
}

#[tokio::test(start_paused = true)]
async fn res_a1_two_operators_who_change_two_knobs_at_once_do_not_undo_each_other() {
    let patterns = Patterns::new();
    let shadow = || ("shadow", switch());
    two_operators(&patterns.breaker, [("permitted_calls_in_half_open", numbers(3, 7)), shadow()]);
    two_operators(&patterns.bulkhead, [("max_concurrent_calls", numbers(3, 7)), shadow()]);
    two_operators(&patterns.shed, [("max_limit", numbers(70, 30)), shadow()]);
    two_operators(&patterns.limiter, [("timeout_duration_ms", numbers(3, 7)), shadow()]);
    let retry = Retry::builder("retry").clock(clock()).build().unwrap();
    two_operators(&retry, [("max_attempts", numbers(3, 7)), shadow()]);
}
