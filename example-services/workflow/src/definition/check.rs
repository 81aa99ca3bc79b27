use std::collections::BTreeSet;

use serde_json::Value;

use super::{Kind, Machine, State, path, template};
use crate::error::DefinitionError;

type Checked = Result<(), DefinitionError>;

pub(super) fn machine(machine: &Machine) -> Checked {
    names(machine, &mut BTreeSet::new())?;
    states(machine)
}

/// Names are unique over all branches, as Step Functions asks.
fn names<'a>(machine: &'a Machine, seen: &mut BTreeSet<&'a str>) -> Checked {
    for (name, state) in &machine.states {
        if name.chars().count() > 80 || !seen.insert(name) {
            let rule = "a state has a name of its own, of at most 80 characters";
            return Err(DefinitionError::new(format!("state {name}: {rule}")));
        }
        state.branches.iter().try_for_each(|branch| names(branch, seen))?;
    }
    Ok(())
}

fn states(machine: &Machine) -> Checked {
    let exists = |from: &str, to: &str| {
        if machine.states.contains_key(to) {
            return Ok(());
        }
        Err(DefinitionError::new(format!("{from} leads to {to:?}, which is no state beside it")))
    };
    exists("StartAt", &machine.start_at)?;
    for (name, state) in &machine.states {
        let wrong = |rule: &str| Err(DefinitionError::new(format!("state {name}: {rule}")));
        let leads_on = !matches!(state.kind, Kind::Choice | Kind::Succeed | Kind::Fail);
        if leads_on && (state.next.is_some() == state.end) {
            return wrong("either Next or End must be there");
        }
        let ways = state.next.iter().chain(&state.default);
        let ways = ways.chain(state.catch.iter().map(|catcher| &catcher.next));
        let ways = ways.chain(state.choices.iter().map(|choice| &choice.next));
        ways.into_iter().try_for_each(|next| exists(name, next))?;
        if let Some(rule) = misses(state) {
            return wrong(rule);
        }
        if let Some(rule) = has_too_much(state) {
            return wrong(rule);
        }
        paths(state).map_err(|error| DefinitionError::new(format!("state {name}: {error}")))?;
        state.branches.iter().try_for_each(states)?;
    }
    Ok(())
}

fn misses(state: &State) -> Option<&'static str> {
    match state.kind {
        Kind::Task if state.resource.is_none() => Some("a Task has a Resource"),
        Kind::Choice if state.choices.is_empty() => Some("a Choice has Choices"),
        Kind::Wait if state.seconds.is_some() == state.seconds_path.is_some() => {
            Some("a Wait has either Seconds or SecondsPath")
        }
        Kind::Parallel if state.branches.is_empty() => Some("a Parallel has Branches"),
        _ => None,
    }
}

fn has_too_much(state: &State) -> Option<&'static str> {
    let task = state.resource.is_some()
        || state.timeout_seconds.is_some()
        || state.heartbeat_seconds.is_some();
    let tried = !state.retry.is_empty() || !state.catch.is_empty();
    let kind = state.kind;
    let alone = |present: bool, allowed: &[Kind]| present && !allowed.contains(&kind);
    if alone(task, &[Kind::Task]) {
        Some("only a Task has Resource, TimeoutSeconds and HeartbeatSeconds")
    } else if alone(tried, &[Kind::Task, Kind::Parallel]) {
        Some("only Task and Parallel have Retry and Catch")
    } else if alone(!state.choices.is_empty() || state.default.is_some(), &[Kind::Choice]) {
        Some("only a Choice has Choices and Default")
    } else if alone(!state.branches.is_empty(), &[Kind::Parallel]) {
        Some("only a Parallel has Branches")
    } else if alone(state.result.is_some(), &[Kind::Pass]) {
        Some("only a Pass has a Result")
    } else if alone(state.error.is_some() || state.cause.is_some(), &[Kind::Fail]) {
        Some("only a Fail has Error and Cause")
    } else if state
        .heartbeat_seconds
        .is_some_and(|beat| state.timeout_seconds.is_some_and(|timeout| beat >= timeout))
    {
        Some("HeartbeatSeconds must be below TimeoutSeconds")
    } else if state.retry.iter().any(|retrier| retrier.backoff_rate < 1.0) {
        Some("BackoffRate must be 1 or more")
    } else {
        None
    }
}

fn paths(state: &State) -> Result<(), String> {
    for text in [&state.input_path, &state.output_path].into_iter().flatten().flatten() {
        path::check(text)?;
    }
    if let Some(text) = &state.seconds_path {
        path::check(text)?;
    }
    let results = state.catch.iter().map(|catcher| &catcher.result_path);
    for text in results.chain([&state.result_path]).flatten().flatten() {
        path::reference(text).ok_or_else(|| format!("{text:?} is no reference path"))?;
    }
    state.choices.iter().try_for_each(|choice| choice.rule.check())?;
    let templates = [&state.parameters, &state.result_selector];
    templates.into_iter().flatten().try_for_each(|template: &Value| template::check(template))
}
