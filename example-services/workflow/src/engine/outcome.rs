//! Leaving states, well or not.

use serde_json::{Value, json};

use super::history::Step;
use super::run::{End, Phase, Task};
use super::surroundings::{Surroundings, context};
use crate::definition::path::{self, Scope};
use crate::definition::{Kind, State, template};
use crate::error::StateError;

/// A state has come to `result`.
pub(super) fn success(around: &Surroundings<'_>, step: &mut Step<'_>, id: u64, result: Value) {
    let Some(branch) = step.run.branch(id) else { return };
    let Some(state) = branch.definition(around.machine) else { return };
    let context = context(around, branch, None);
    let input = branch.input.clone();
    match output(state, input, result, &context) {
        Ok(output) => leave(around, step, id, output, state.next.as_ref()),
        Err(error) => failure(around, step, id, error),
    }
}

fn output(
    state: &State,
    input: Value,
    result: Value,
    context: &Value,
) -> Result<Value, StateError> {
    let result = match &state.result_selector {
        Some(selector) => template::fill(selector, Scope { document: &result, context })?,
        None => result,
    };
    let output = path::put(input, result, state.result_path.as_ref())?;
    Scope { document: &output, context }.part(state.output_path.as_ref())
}

/// Leaves a state for `next`, or ends the branch.
pub(super) fn leave(
    around: &Surroundings<'_>,
    step: &mut Step<'_>,
    id: u64,
    output: Value,
    next: Option<&String>,
) {
    let Some(branch) = step.run.branch(id) else { return };
    let name = branch.state.clone();
    let kind = branch.definition(around.machine).map_or("", |state| state.kind.as_str());
    step.note(id, format!("{kind}StateExited"), json!({ "name": name }));
    let Some(branch) = step.run.branch(id) else { return };
    if let Some(next) = next {
        branch.goes_to(next, output);
        return;
    }
    match branch.parent {
        None => {
            step.note(id, "ExecutionSucceeded", json!({}));
            step.run.end = Some(End::Succeeded(output));
        }
        Some((parent, index)) => {
            let event = branch.event;
            step.run.branches.retain(|branch| branch.id != id);
            join(around, step, parent, index, output, event);
        }
    }
}

/// A branch of a `Parallel` state has ended well.
fn join(
    around: &Surroundings<'_>,
    step: &mut Step<'_>,
    parent: u64,
    index: usize,
    output: Value,
    event: u64,
) {
    let Some(branch) = step.run.branch(parent) else { return };
    let Phase::Join { results } = &mut branch.phase else { return };
    if let Some(result) = results.get_mut(index) {
        *result = Some(output);
    }
    if let Some(results) = results.iter().cloned().collect::<Option<Vec<_>>>() {
        branch.event = event;
        step.note(parent, "ParallelStateSucceeded", json!({}));
        success(around, step, parent, Value::Array(results));
    }
}

/// A state has failed: it is tried again, its error is caught, or what it belongs to fails.
pub(super) fn failure(around: &Surroundings<'_>, step: &mut Step<'_>, id: u64, error: StateError) {
    step.run.prune(id);
    let now_ms = step.now_ms;
    let Some(branch) = step.run.branch(id) else { return };
    let Some(state) = branch.definition(around.machine) else { return };
    branch.retries.resize(state.retry.len(), 0);
    let retrier = state.retry.iter().position(|retrier| error.is_one_of(&retrier.error_equals));
    if let Some(at) = retrier
        && branch.retries[at] < state.retry[at].max_attempts
    {
        let until_ms = now_ms.saturating_add(state.retry[at].delay_ms(branch.retries[at]));
        branch.retries[at] += 1;
        branch.phase = Phase::BackOff { until_ms };
        return;
    }
    if state.kind == Kind::Parallel {
        step.note(id, "ParallelStateFailed", json!({ "error": error.error }));
    }
    let caught = state.catch.iter().find(|catcher| error.is_one_of(&catcher.error_equals));
    if let Some(catcher) = caught {
        let Some(branch) = step.run.branch(id) else { return };
        let shown = json!({ "Error": error.error, "Cause": error.cause });
        match path::put(branch.input.clone(), shown, catcher.result_path.as_ref()) {
            Ok(output) => return leave(around, step, id, output, Some(&catcher.next)),
            Err(error) => return bubble(around, step, id, error),
        }
    }
    bubble(around, step, id, error);
}

/// Nobody caught the error: the `Parallel` state around, or the execution, fails with it.
fn bubble(around: &Surroundings<'_>, step: &mut Step<'_>, id: u64, error: StateError) {
    let parent = step.run.branch(id).and_then(|branch| branch.parent);
    if let Some((parent, _)) = parent {
        failure(around, step, parent, error);
        return;
    }
    step.note(id, "ExecutionFailed", json!({ "error": error.error }));
    step.run.end = Some(End::Failed(error));
}

/// What was done for a task, or answered with its token.
pub(super) fn task(
    around: &Surroundings<'_>,
    step: &mut Step<'_>,
    id: u64,
    result: Result<Value, StateError>,
) {
    match result {
        Ok(output) => {
            step.note(id, "TaskSucceeded", json!({}));
            success(around, step, id, output);
        }
        Err(error) => {
            step.note(id, "TaskFailed", json!({ "error": error.error }));
            failure(around, step, id, error);
        }
    }
}

/// A task that waits for its token has been handed over, or could not be.
pub(super) fn submitted(
    around: &Surroundings<'_>,
    step: &mut Step<'_>,
    id: u64,
    result: Result<Value, StateError>,
) {
    match result {
        Ok(_) => {
            step.note(id, "TaskSubmitted", json!({}));
            if let Some(Phase::Task(Task { submitted, .. })) =
                step.run.branch(id).map(|branch| &mut branch.phase)
            {
                *submitted = true;
            }
        }
        Err(error) => {
            step.note(id, "TaskSubmitFailed", json!({ "error": error.error }));
            failure(around, step, id, error);
        }
    }
}
