use serde_json::{Value, json};

use super::run::Branch;
use crate::definition::Machine;

/// What states may look at beside their input.
pub(super) struct Surroundings<'a> {
    pub(super) machine: &'a Machine,
    pub(super) execution: &'a str,
    pub(super) input: &'a Value,
    /// A new task token.
    pub(super) token: &'a (dyn Fn() -> String + Send + Sync),
}

/// The context object, `$$`.
pub(super) fn context(around: &Surroundings<'_>, branch: &Branch, token: Option<&str>) -> Value {
    let mut context = json!({
        "Execution": { "Name": around.execution, "Input": around.input },
        "State": { "Name": branch.state, "RetryCount": branch.retries.iter().sum::<u32>() },
    });
    if let Some(token) = token {
        context["Task"] = json!({ "Token": token });
    }
    context
}
