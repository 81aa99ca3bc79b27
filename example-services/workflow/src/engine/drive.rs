use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, params};
use serde_json::Value;
use shop_domain::port::messaging::MessagingError;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::entry;
use super::history::Step;
use super::run::{Phase, Run};
use super::runner::{TaskCall, TaskRunner};
use super::storage::{self, Answer};
use super::surroundings::Surroundings;
use super::{Shared, outcome};
use crate::error::StateError;

/// What came of a task that was run here.
struct Done {
    branch: u64,
    /// Which try of the branch's state it belongs to.
    event: u64,
    waits_for_token: bool,
    result: Result<Value, StateError>,
}

/// What is to be done after a step.
struct After {
    tasks: Vec<(u64, u64, TaskCall)>,
    due_ms: Option<u64>,
    ended: bool,
}

/// Drives one execution to its end.
pub(super) async fn execution(
    shared: &Arc<Shared>,
    name: &str,
    wake: &Notify,
    runner: Arc<dyn TaskRunner>,
) -> Result<(), MessagingError> {
    let mut running = JoinSet::new();
    // By branch and event: each try of a task is made once by this driver.
    let mut known = BTreeSet::new();
    let mut done = None;
    loop {
        let After { tasks, due_ms, ended } = step(shared, name, done.take()).await?;
        if ended {
            return Ok(());
        }
        for (branch, event, call) in tasks {
            if known.insert((branch, event)) {
                let runner = Arc::clone(&runner);
                running.spawn(async move {
                    let result = runner.run(&call).await;
                    Done { branch, event, waits_for_token: call.waits_for_token, result }
                });
            }
        }
        let due = shared.time.sleep_until(due_ms.unwrap_or(u64::MAX));
        tokio::select! {
            () = wake.notified() => {}
            () = due => {}
            Some(joined) = running.join_next() => match joined {
                Ok(ended) => done = Some(ended),
                // A task that panics does not fail by itself: its time runs out, if it has one.
                Err(error) => tracing::error!(execution = name, %error, "a task broke off"),
            },
        }
    }
}

/// Works in what has happened, and takes the execution as far as it goes by itself.
async fn step(
    shared: &Arc<Shared>,
    name: &str,
    done: Option<Done>,
) -> Result<After, MessagingError> {
    let (inner, name) = (Arc::clone(shared), name.to_owned());
    let now_ms = shared.time.now_ms();
    let work = move |db: &Connection| {
        let Some((input, mut run)) = storage::load(db, &name)? else {
            return Ok(After { tasks: Vec::new(), due_ms: None, ended: true });
        };
        let token = || format!("{}", inner.ids.trace_id(&inner.clock));
        let around = Surroundings {
            machine: &inner.machine,
            execution: &name,
            input: &input,
            token: &token,
        };
        let mut step = Step { run: &mut run, now_ms, events: Vec::new() };
        if let Some(done) = done {
            finish(&around, &mut step, done);
        }
        for (branch, token, answer) in storage::take_answers(db, &name)? {
            take(&around, &mut step, branch, &token, answer);
        }
        entry::settle(&around, &mut step);
        let events = step.events;
        storage::write_history(db, &name, &events, now_ms)?;
        register_tokens(db, &name, &run)?;
        storage::save(db, &name, &run, now_ms)?;
        let tasks = if run.end.is_none() { tasks(&name, &input, &run) } else { Vec::new() };
        Ok(After { tasks, due_ms: run.due_ms(), ended: run.end.is_some() })
    };
    Ok(shared.database.write("workflow.step", work).await?)
}

fn finish(around: &Surroundings<'_>, step: &mut Step<'_>, done: Done) {
    let Some(branch) = step.run.branch(done.branch) else { return };
    // It may have run out of time and been tried again, or answered before this was known.
    if branch.event != done.event || !matches!(branch.phase, Phase::Task(_)) {
        return;
    }
    if done.waits_for_token {
        outcome::submitted(around, step, done.branch, done.result);
    } else {
        outcome::task(around, step, done.branch, done.result);
    }
}

fn take(around: &Surroundings<'_>, step: &mut Step<'_>, id: u64, token: &str, answer: Answer) {
    let now_ms = step.now_ms;
    let Some(branch) = step.run.branch(id) else { return };
    let heartbeat = branch.definition(around.machine).and_then(|state| state.heartbeat_seconds);
    let Phase::Task(task) = &mut branch.phase else { return };
    if task.token.as_deref() != Some(token) {
        return;
    }
    match answer {
        Answer::Heartbeat => {
            task.heartbeat_ms = heartbeat.map(|seconds| super::run::after(now_ms, seconds));
        }
        Answer::End(result) => {
            // Who answers has been told, even if the driver did not live to see it.
            if !std::mem::replace(&mut task.submitted, true) {
                step.note(id, "TaskSubmitted", serde_json::json!({}));
            }
            outcome::task(around, step, id, result);
        }
    }
}

/// The tokens of tasks that wait are valid, all others are not.
fn register_tokens(db: &Connection, name: &str, run: &Run) -> rusqlite::Result<()> {
    let valid: Vec<_> = run
        .branches
        .iter()
        .filter_map(|branch| match &branch.phase {
            Phase::Task(task) => Some((branch.id, task.token.as_deref()?)),
            _ => None,
        })
        .collect();
    let known = db
        .prepare_cached("SELECT token FROM tokens WHERE execution = ?")?
        .query_map([name], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for gone in known.iter().filter(|known| !valid.iter().any(|(_, token)| token == known)) {
        db.prepare_cached("DELETE FROM tokens WHERE token = ?")?.execute([gone])?;
    }
    for (branch, token) in valid.iter().filter(|(_, token)| !known.iter().any(|k| k == token)) {
        db.prepare_cached("INSERT INTO tokens VALUES (?, ?, ?)")?.execute(params![
            token,
            name,
            branch.cast_signed()
        ])?;
    }
    Ok(())
}

/// The tasks that somebody has to do now.
fn tasks(name: &str, input: &Value, run: &Run) -> Vec<(u64, u64, TaskCall)> {
    let tasks = run.branches.iter().filter_map(|branch| match &branch.phase {
        Phase::Task(task) if !task.submitted => {
            let call = TaskCall {
                execution: name.to_owned(),
                state: branch.state.clone(),
                resource: task.resource.clone(),
                parameters: task.parameters.clone(),
                waits_for_token: task.token.is_some(),
                retries: branch.retries.iter().sum(),
                input: input.clone(),
            };
            Some((branch.id, branch.event, call))
        }
        _ => None,
    });
    tasks.collect()
}
