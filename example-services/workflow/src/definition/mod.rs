//! State machines in the [Amazon States Language](https://states-language.net/).

mod check;
pub(crate) mod choice;
pub(crate) mod path;
pub(crate) mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use self::choice::Choice;
use crate::error::DefinitionError;

/// A state machine, or a branch of a `Parallel` state.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Machine {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    #[serde(rename = "Version")]
    _version: Option<String>,
    pub(crate) start_at: String,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) states: BTreeMap<String, State>,
}

/// The kinds of states.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Choice,
    Wait,
    Parallel,
    Pass,
    Succeed,
    Fail,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "Task",
            Self::Choice => "Choice",
            Self::Wait => "Wait",
            Self::Parallel => "Parallel",
            Self::Pass => "Pass",
            Self::Succeed => "Succeed",
            Self::Fail => "Fail",
        }
    }
}

/// A state; which members it may have is checked by its kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct State {
    #[serde(rename = "Type")]
    pub(crate) kind: Kind,
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    pub(crate) next: Option<String>,
    #[serde(default)]
    pub(crate) end: bool,
    #[serde(default, deserialize_with = "present")]
    pub(crate) input_path: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) output_path: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) result_path: Option<Option<String>>,
    pub(crate) parameters: Option<Value>,
    pub(crate) result_selector: Option<Value>,
    pub(crate) result: Option<Value>,
    pub(crate) resource: Option<String>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) heartbeat_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) retry: Vec<Retrier>,
    #[serde(default)]
    pub(crate) catch: Vec<Catcher>,
    #[serde(default)]
    pub(crate) choices: Vec<Choice>,
    pub(crate) default: Option<String>,
    pub(crate) seconds: Option<u64>,
    pub(crate) seconds_path: Option<String>,
    #[serde(default)]
    pub(crate) branches: Vec<Machine>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
}

/// Tells a member that is `null` from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// When and how often a state is tried again.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Retrier {
    pub(crate) error_equals: Vec<String>,
    #[serde(default = "one")]
    pub(crate) interval_seconds: u64,
    #[serde(default = "three")]
    pub(crate) max_attempts: u32,
    #[serde(default = "twice")]
    pub(crate) backoff_rate: f64,
    pub(crate) max_delay_seconds: Option<u64>,
}

const fn one() -> u64 {
    1
}

const fn three() -> u32 {
    3
}

const fn twice() -> f64 {
    2.0
}

impl Retrier {
    /// How long to wait before the attempt after `failed` ones, in milliseconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    #[allow(clippy::cast_precision_loss, reason = "delays are far below 2^52 s")]
    pub(crate) fn delay_ms(&self, failed: u32) -> u64 {
        let factor = self.backoff_rate.powi(i32::try_from(failed).unwrap_or(i32::MAX));
        let seconds = self.interval_seconds as f64 * factor;
        let seconds = self.max_delay_seconds.map_or(seconds, |most| seconds.min(most as f64));
        (seconds * 1_000.0) as u64
    }
}

/// Where a state's errors lead.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Catcher {
    pub(crate) error_equals: Vec<String>,
    pub(crate) next: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) result_path: Option<Option<String>>,
}

impl Machine {
    /// Reads and checks a definition.
    ///
    /// # Errors
    /// [`DefinitionError`] names the state and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        let machine: Self = serde_json::from_str(text)
            .map_err(|error| DefinitionError::new(format!("not a definition: {error}")))?;
        check::machine(&machine)?;
        Ok(machine)
    }
}

impl State {
    pub(crate) fn waits_for_token(&self) -> bool {
        self.resource.as_ref().is_some_and(|resource| resource.ends_with(".waitForTaskToken"))
    }
}
