use obs_core::control::{Action, ActionError, Control, Kind, knob};
use serde_json::{Value, json};

use super::{Retry, RetryConfig};

impl Control for Retry {
    fn name(&self) -> &str {
        Retry::name(self)
    }

    fn kind(&self) -> Kind {
        Kind::Retry
    }

    fn state(&self) -> &'static str {
        if self.budget().tokens() > 0 { "in_budget" } else { "over_budget" }
    }

    fn snapshot(&self) -> Value {
        let (config, counters) = (self.config(), self.counters());
        json!({
            "state": Control::state(self),
            "budget_tokens": self.budget().tokens(),
            "retries": counters.made,
            "over_budget": counters.over_budget,
            "too_late": counters.too_late,
            "exhausted_calls": counters.exhausted,
            "config": {
                "max_attempts": config.max_attempts,
                "backoff": format!("{:?}", config.backoff),
                "budget_ratio": config.budget_ratio,
                "budget_reserve": config.budget_reserve,
                "max_replay_bytes": config.max_replay_bytes,
                "minimum_useful_time_ms": knob::as_millis(config.minimum_useful_time),
                "shadow": config.shadow,
            },
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        knob::ACTIONS
    }

    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        self.update(|config| knob::configure(action, config, with_knob))
    }
}

fn with_knob(config: RetryConfig, name: &str, value: &Value) -> Result<RetryConfig, ActionError> {
    let (ratio, reserve) = (config.budget_ratio, config.budget_reserve);
    Ok(match name {
        "max_attempts" => config.max_attempts(knob::count(name, value)?),
        "budget_ratio" => config.budget(knob::decimal(name, value)?, reserve),
        "budget_reserve" => config.budget(ratio, knob::count(name, value)?),
        "max_replay_bytes" => config.max_replay_bytes(knob::count(name, value)? as usize),
        "minimum_useful_time_ms" => config.minimum_useful_time(knob::millis(name, value)?),
        "shadow" => config.shadow(knob::flag(name, value)?),
        _ => return Err(knob::unknown(name, value)),
    })
}
