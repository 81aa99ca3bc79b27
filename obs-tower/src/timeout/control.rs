use obs_core::control::{Action, ActionError, Control, Kind, knob};
use serde_json::{Value, json};

use super::TimeLimiter;
use super::limiter::check_limit;

impl Control for TimeLimiter {
    fn name(&self) -> &str {
        TimeLimiter::name(self)
    }

    fn kind(&self) -> Kind {
        Kind::Timeout
    }

    fn state(&self) -> &'static str {
        if self.is_shadow() { "shadow" } else { "enforcing" }
    }

    fn snapshot(&self) -> Value {
        json!({
            "state": Control::state(self),
            "exceeded_calls": self.exceeded(),
            "dead_on_arrival_calls": self.dead_on_arrival(),
            "config": {
                "timeout_duration_ms": knob::as_millis(self.timeout_duration()),
                "shadow": self.is_shadow(),
            },
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        knob::ACTIONS
    }

    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        let (limit, shadow) =
            knob::configure(action, (None, None), |(limit, shadow), name, value| match name {
                "timeout_duration_ms" => {
                    Ok((Some(check_limit(knob::millis(name, value)?)?), shadow))
                }
                "shadow" => Ok((limit, Some(knob::flag(name, value)?))),
                _ => Err(knob::unknown(name, value)),
            })?;
        self.change(limit, shadow);
        Ok(())
    }
}
