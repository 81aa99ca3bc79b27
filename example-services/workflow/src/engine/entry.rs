//! Entering states.

use serde_json::{Value, json};

use super::history::Step;
use super::outcome;
use super::run::{Branch, End, Phase, Task, after};
use super::surroundings::{Surroundings, context};
use crate::definition::path::Scope;
use crate::definition::{Kind, State, template};
use crate::error::StateError;

/// Takes every branch as far as it goes by itself.
pub(super) fn settle(around: &Surroundings<'_>, step: &mut Step<'_>) {
    while step.run.end.is_none() {
        fall_due(around, step);
        let ready = |branch: &&Branch| matches!(branch.phase, Phase::Next | Phase::Try);
        let Some(branch) = step.run.branches.iter().find(ready) else { return };
        let (id, phase) = (branch.id, branch.phase.clone());
        if phase == Phase::Next {
            enter(around, step, id);
        } else if let Err(error) = attempt(around, step, id) {
            outcome::failure(around, step, id, error);
        }
    }
}

/// Ends waits and tasks whose time is over.
fn fall_due(around: &Surroundings<'_>, step: &mut Step<'_>) {
    let now_ms = step.now_ms;
    if step.run.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms) {
        step.note(0, "ExecutionTimedOut", json!({"error": StateError::TIMEOUT}));
        let error = StateError::new(StateError::TIMEOUT, "the execution took too long");
        step.run.end = Some(End::TimedOut(error));
        return;
    }
    let ids: Vec<_> = step.run.branches.iter().map(|branch| branch.id).collect();
    for id in ids {
        let Some(branch) = step.run.branch(id) else { continue };
        let is_over = |until: Option<u64>| until.is_some_and(|until_ms| until_ms <= now_ms);
        match branch.phase.clone() {
            Phase::BackOff { until_ms } if until_ms <= now_ms => branch.phase = Phase::Try,
            Phase::Wait { until_ms } if until_ms <= now_ms => {
                let output = branch.input.clone();
                outcome::success(around, step, id, output);
            }
            Phase::Task(task) if is_over(task.deadline_ms) || is_over(task.heartbeat_ms) => {
                let late = if is_over(task.deadline_ms) {
                    StateError::new(StateError::TIMEOUT, "the task took too long")
                } else {
                    let cause = "the task gave no sign of life";
                    StateError::new(StateError::HEARTBEAT_TIMEOUT, cause)
                };
                step.note(id, "TaskTimedOut", json!({"error": late.error}));
                outcome::failure(around, step, id, late);
            }
            _ => {}
        }
    }
}

fn enter(around: &Surroundings<'_>, step: &mut Step<'_>, id: u64) {
    let Some(branch) = step.run.branch(id) else { return };
    branch.phase = Phase::Try;
    let name = branch.state.clone();
    let Some(state) = branch.definition(around.machine) else {
        // The definition has changed since the execution began.
        let error = StateError::new(StateError::RUNTIME, format!("there is no state {name}"));
        step.run.end = Some(End::Failed(error));
        return;
    };
    step.note(id, format!("{}StateEntered", state.kind.as_str()), json!({ "name": name }));
}

/// Tries a state once.
fn attempt(around: &Surroundings<'_>, step: &mut Step<'_>, id: u64) -> Result<(), StateError> {
    let Some(branch) = step.run.branch(id) else { return Ok(()) };
    let Some(state) = branch.definition(around.machine) else { return Ok(()) };
    let token = state.waits_for_token().then(|| (around.token)());
    let context = context(around, branch, token.as_deref());
    let input = branch.input.clone();
    let whole = Scope { document: &input, context: &context };
    let part = whole.part(state.input_path.as_ref())?;
    let scope = Scope { document: &part, context: &context };
    let effective = match &state.parameters {
        Some(parameters) => template::fill(parameters, scope)?,
        None => part.clone(),
    };
    match state.kind {
        Kind::Pass => {
            let result = state.result.clone().unwrap_or(effective);
            outcome::success(around, step, id, result);
        }
        Kind::Succeed => outcome::success(around, step, id, effective),
        Kind::Fail => {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            outcome::failure(
                around,
                step,
                id,
                StateError::new(text(&state.error), text(&state.cause)),
            );
        }
        Kind::Choice => {
            let chosen = state.choices.iter().find(|choice| choice.rule.holds(scope));
            let next = chosen.map(|choice| &choice.next).or(state.default.as_ref());
            let next = next.ok_or_else(|| {
                StateError::new(StateError::NO_CHOICE, "no rule holds and there is no default")
            })?;
            outcome::leave(around, step, id, part, Some(next));
        }
        Kind::Wait => {
            let path = state.seconds_path.as_ref();
            let seconds = match path.map(|path| scope.get(path)).transpose()? {
                None => state.seconds,
                Some(value) => value.as_u64(),
            };
            let seconds = seconds.ok_or_else(|| {
                StateError::new(StateError::RUNTIME, "SecondsPath leads to no number of seconds")
            })?;
            let until_ms = after(step.now_ms, seconds);
            branch_phase(step, id, Phase::Wait { until_ms });
        }
        Kind::Task => schedule(step, id, state, effective, token),
        Kind::Parallel => fork(step, id, state, &effective),
    }
    Ok(())
}

fn branch_phase(step: &mut Step<'_>, id: u64, phase: Phase) {
    if let Some(branch) = step.run.branch(id) {
        branch.phase = phase;
    }
}

fn schedule(step: &mut Step<'_>, id: u64, state: &State, parameters: Value, token: Option<String>) {
    let resource = state.resource.clone().unwrap_or_default();
    // The parameters may hold the token: history does not.
    step.note(id, "TaskScheduled", json!({ "resource": resource }));
    step.note(id, "TaskStarted", json!({ "resource": resource }));
    let now_ms = step.now_ms;
    let due = |seconds: Option<u64>| seconds.map(|seconds| after(now_ms, seconds));
    let task = Task {
        resource,
        parameters,
        submitted: false,
        token,
        deadline_ms: due(state.timeout_seconds),
        heartbeat_ms: due(state.heartbeat_seconds),
    };
    branch_phase(step, id, Phase::Task(task));
}

fn fork(step: &mut Step<'_>, id: u64, state: &State, input: &Value) {
    step.note(id, "ParallelStateStarted", json!({}));
    let Some(parent) = step.run.branch(id) else { return };
    parent.phase = Phase::Join { results: vec![None; state.branches.len()] };
    let (place, name, event) = (parent.place.clone(), parent.state.clone(), parent.event);
    for (index, machine) in state.branches.iter().enumerate() {
        let mut place = place.clone();
        place.push((name.clone(), index));
        let child = Branch {
            id: step.run.next_branch,
            parent: Some((id, index)),
            place,
            state: machine.start_at.clone(),
            input: input.clone(),
            phase: Phase::Next,
            retries: Vec::new(),
            event,
        };
        step.run.next_branch += 1;
        step.run.branches.push(child);
    }
}
