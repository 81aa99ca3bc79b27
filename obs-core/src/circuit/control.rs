use std::sync::Arc;

use serde_json::{Value, json};

use super::{CircuitBreaker, CircuitBreakerConfig, HalfOpenRule, OpenWait, State, Transition};
use crate::control::{Action, ActionError, Control, Health, Kind, knob};

const ACTIONS: &[&str] = &["close", "force_open", "disable", "metrics_only", "reset", "configure"];

impl Control for CircuitBreaker {
    fn name(&self) -> &str {
        CircuitBreaker::name(self)
    }

    fn kind(&self) -> Kind {
        Kind::CircuitBreaker
    }

    fn state(&self) -> &'static str {
        CircuitBreaker::state(self).as_str()
    }

    fn health(&self) -> Health {
        match CircuitBreaker::state(self) {
            State::Closed | State::Disabled | State::MetricsOnly => Health::Pass,
            State::HalfOpen => Health::Warn,
            State::Open | State::ForcedOpen => Health::Fail,
        }
    }

    fn snapshot(&self) -> Value {
        let (totals, counters) = (self.totals(), self.counters());
        json!({
            "state": CircuitBreaker::state(self).as_str(),
            "remaining_ms": self.remaining().map(knob::as_millis),
            "window": {
                "calls": totals.calls,
                "failed_calls": totals.failures,
                "slow_calls": totals.slow,
                "failure_rate": rate(totals.failures, totals.calls),
                "slow_call_rate": rate(totals.slow, totals.calls),
            },
            "in_flight": self.machine().in_flight(),
            "failed_calls": counters.failed,
            "slow_calls": counters.slow,
            "ignored_calls": counters.ignored,
            "not_permitted_calls": counters.not_permitted,
            "outdated_calls": counters.outdated,
            "config": knobs(&self.config()),
            "transitions": self.transitions().iter().map(transition).collect::<Vec<_>>(),
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        ACTIONS
    }

    fn apply(&self, action: &Action) -> Result<(), ActionError> {
        let state = match action.name.as_str() {
            // A reset also empties the window; so does each entry into closed.
            "close" | "reset" => State::Closed,
            "force_open" => State::ForcedOpen,
            "disable" => State::Disabled,
            "metrics_only" => State::MetricsOnly,
            "configure" => {
                return self.update(|config| knob::configure(action, config, with_knob));
            }
            _ => return Err(ActionError::unknown(action, ACTIONS)),
        };
        let ttl = action.ttl.filter(|_| state != State::Closed);
        self.enter(state, ttl, note(action));
        Ok(())
    }
}

fn note(action: &Action) -> Option<Arc<str>> {
    let actor = action.arguments.get("actor").and_then(Value::as_str);
    match (actor, action.reason.as_deref()) {
        (Some(actor), Some(reason)) => Some(format!("{actor}: {reason}").into()),
        (Some(text), None) | (None, Some(text)) => Some(text.into()),
        (None, None) => None,
    }
}

fn knobs(config: &CircuitBreakerConfig) -> Value {
    json!({
        "sliding_window": format!("{:?}", config.sliding_window),
        "minimum_number_of_calls": config.minimum_calls(),
        "failure_rate_threshold": config.failure_rate_threshold,
        "slow_call_rate_threshold": config.slow_call_rate_threshold,
        "slow_call_duration_threshold_ms": config.slow_call_duration_threshold.map(knob::as_millis),
        "consecutive_failures_threshold": config.consecutive_failures_threshold,
        "wait_duration_in_open_state_ms": knob::as_millis(config.open_wait.initial),
        "permitted_calls_in_half_open": config.permitted_calls_in_half_open,
        "half_open_rule": match config.half_open_rule {
            HalfOpenRule::Rate => "rate",
            HalfOpenRule::FirstFailure => "first_failure",
        },
        "max_wait_in_half_open_ms": knob::as_millis(config.max_wait_in_half_open),
        "shadow": config.shadow,
    })
}

fn with_knob(
    config: CircuitBreakerConfig,
    name: &str,
    value: &Value,
) -> Result<CircuitBreakerConfig, ActionError> {
    Ok(match name {
        "minimum_number_of_calls" => config.minimum_number_of_calls(knob::count(name, value)?),
        "failure_rate_threshold" => config.failure_rate_threshold(knob::decimal(name, value)?),
        "slow_call_rate_threshold" => config.slow_call_rate_threshold(knob::decimal(name, value)?),
        "slow_call_duration_threshold_ms" => {
            config.slow_call_duration_threshold(knob::millis(name, value)?)
        }
        "consecutive_failures_threshold" => {
            config.consecutive_failures_threshold(knob::count(name, value)?)
        }
        "wait_duration_in_open_state_ms" => {
            let (wait, initial) = (config.open_wait, knob::millis(name, value)?);
            config.open_wait(OpenWait { initial, max: wait.max.max(initial), ..wait })
        }
        "permitted_calls_in_half_open" => {
            config.permitted_calls_in_half_open(knob::count(name, value)?)
        }
        "half_open_rule" => config.half_open_rule(match value.as_str() {
            Some("rate") => HalfOpenRule::Rate,
            Some("first_failure") => HalfOpenRule::FirstFailure,
            _ => return Err(ActionError::invalid(name, value, "must be rate or first_failure")),
        }),
        "max_wait_in_half_open_ms" => config.max_wait_in_half_open(knob::millis(name, value)?),
        "shadow" => config.shadow(knob::flag(name, value)?),
        _ => return Err(knob::unknown(name, value)),
    })
}

fn transition(transition: &Transition) -> Value {
    json!({
        "from": transition.from.as_str(),
        "to": transition.to.as_str(),
        "reason": transition.reason.as_str(),
        "at_unix_ms": transition.at.unix_millis(),
        "note": transition.note.as_deref(),
    })
}

fn rate(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| f64::from(part) * 100.0 / f64::from(whole))
}
