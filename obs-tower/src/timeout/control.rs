use obs_core::control::{Action, ActionError, Control, Kind};
use serde_json::{Value, json};

use super::TimeLimiter;
use crate::knob;

const ACTIONS: &[&str] = &["configure"];

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
        ACTIONS
    }

    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        if action.name != "configure" {
            return Err(ActionError::unknown(action, ACTIONS));
        }
        let (mut limit, mut shadow) = (self.timeout_duration(), self.is_shadow());
        for (name, value) in &action.arguments {
            match name.as_str() {
                "actor" => {}
                "timeout_duration_ms" => limit = knob::millis(name, value)?,
                "shadow" => shadow = knob::flag(name, value)?,
                _ => return Err(knob::unknown(name, value)),
            }
        }
        self.set_timeout_duration(limit).map_err(|error| knob::invalid(&error))?;
        self.set_shadow(shadow);
        Ok(())
    }
}
