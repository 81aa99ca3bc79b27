use obs_core::control::{Action, ActionError, Control, Health, Kind, knob};
use serde_json::{Value, json};

use super::{Bulkhead, BulkheadConfig, Order};

impl Control for Bulkhead {
    fn name(&self) -> &str {
        Bulkhead::name(self)
    }

    fn kind(&self) -> Kind {
        Kind::Bulkhead
    }

    fn state(&self) -> &'static str {
        if self.in_flight() >= self.config().max_concurrent_calls { "full" } else { "open" }
    }

    fn health(&self) -> Health {
        if Control::state(self) == "full" { Health::Warn } else { Health::Pass }
    }

    fn snapshot(&self) -> Value {
        let config = self.config();
        json!({
            "state": Control::state(self),
            "in_flight": self.in_flight(),
            "waiting": self.waiting(),
            "shares": self.shares(),
            "rejected_calls": self.rejected(),
            "config": {
                "max_concurrent_calls": config.max_concurrent_calls,
                "max_concurrent_calls_per_share": config.max_concurrent_calls_per_share,
                "max_wait_duration_ms": knob::as_millis(config.max_wait_duration),
                "max_queue_length": config.max_queue_length,
                "order": if config.order == Order::Lifo { "lifo" } else { "fifo" },
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

fn with_knob(
    config: BulkheadConfig,
    name: &str,
    value: &Value,
) -> Result<BulkheadConfig, ActionError> {
    Ok(match name {
        "max_concurrent_calls" => config.max_concurrent_calls(knob::count(name, value)?),
        "max_concurrent_calls_per_share" => {
            config.max_concurrent_calls_per_share(knob::count(name, value)?)
        }
        "max_wait_duration_ms" => config.max_wait_duration(knob::millis(name, value)?),
        "max_queue_length" => config.max_queue_length(knob::count(name, value)?),
        "order" => config.order(match value.as_str() {
            Some("fifo") => Order::Fifo,
            Some("lifo") => Order::Lifo,
            _ => return Err(ActionError::invalid(name, value, "must be fifo or lifo")),
        }),
        "shadow" => config.shadow(knob::flag(name, value)?),
        _ => return Err(knob::unknown(name, value)),
    })
}
