use obs_core::control::{Action, ActionError, Control, Health, Kind, knob};
use serde_json::{Map, Value, json};

use super::{LoadShed, LoadShedConfig};
use crate::priority::Priority;

impl Control for LoadShed {
    fn name(&self) -> &str {
        LoadShed::name(self)
    }

    fn kind(&self) -> Kind {
        Kind::LoadShed
    }

    fn state(&self) -> &'static str {
        if self.in_flight() >= self.limit() { "at_limit" } else { "below_limit" }
    }

    fn health(&self) -> Health {
        if self.in_flight() >= self.limit() { Health::Warn } else { Health::Pass }
    }

    fn snapshot(&self) -> Value {
        let config = self.config();
        let shed: Map<_, _> = Priority::ALL
            .into_iter()
            .map(|priority| (priority.as_str().to_owned(), self.shed(priority).into()))
            .collect();
        json!({
            "state": Control::state(self),
            "limit": self.limit(),
            "in_flight": self.in_flight(),
            "baseline_ms": self.baseline().as_secs_f64() * 1_000.0,
            "shed_calls": shed,
            "config": {
                "min_limit": config.min_limit,
                "max_limit": config.max_limit,
                "window_ms": knob::as_millis(config.window),
                "tolerance": config.tolerance,
                "probe_windows": config.probe_windows,
                "shadow": config.shadow,
            },
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        knob::ACTIONS
    }

    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        self.update(|config| {
            let mut config = knob::configure(action, config, with_knob)?;
            // The limit has long moved on from where it began.
            config.initial_limit = config.initial_limit.max(config.min_limit).min(config.max_limit);
            Ok(config)
        })
    }
}

fn with_knob(
    config: LoadShedConfig,
    name: &str,
    value: &Value,
) -> Result<LoadShedConfig, ActionError> {
    Ok(match name {
        "min_limit" => config.min_limit(knob::count(name, value)?),
        "max_limit" => config.max_limit(knob::count(name, value)?),
        "window_ms" => config.window(knob::millis(name, value)?),
        "tolerance" => config.tolerance(knob::decimal(name, value)?),
        "probe_windows" => config.probe_windows(knob::count(name, value)?),
        "shadow" => config.shadow(knob::flag(name, value)?),
        _ => return Err(knob::unknown(name, value)),
    })
}
