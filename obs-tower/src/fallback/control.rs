use obs_core::control::{Action, ActionError, Control, Kind, knob};
use serde_json::{Value, json};

use super::Fallback;

impl Control for Fallback {
    fn name(&self) -> &str {
        Fallback::name(self)
    }

    fn kind(&self) -> Kind {
        Kind::Fallback
    }

    fn state(&self) -> &'static str {
        if self.is_shadow() { "shadow" } else { "enforcing" }
    }

    fn snapshot(&self) -> Value {
        json!({
            "state": Control::state(self),
            "fallen_calls": self.fallen(),
            "config": { "shadow": self.is_shadow() },
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        knob::ACTIONS
    }

    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        let shadow = knob::configure(action, self.is_shadow(), |_, name, value| match name {
            "shadow" => knob::flag(name, value),
            _ => Err(knob::unknown(name, value)),
        })?;
        self.set_shadow(shadow);
        Ok(())
    }
}
