use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use shop_domain::port::messaging::{MessagingError, MessagingErrorKind, MessagingFuture};
use shop_domain::port::{
    Execution, ExecutionStatus, HistoryEvent, MAX_PAYLOAD_BYTES, Start, TaskFailure, Workflow,
};

use super::history::Step;
use super::run::Run;
use super::storage::{self, Answer};
use super::{BELL, Engine};
use crate::error::StateError;

impl Engine {
    async fn start(&self, start: &Start) -> Result<bool, MessagingError> {
        let invalid = |rule: &str| MessagingError::invalid("workflow.start", rule);
        let Start { name, input, .. } = start.clone();
        let is_mark = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 80 || !name.bytes().all(is_mark) {
            return Err(invalid("a name is 1 to 80 characters of A-Z a-z 0-9 - _"));
        }
        if input.to_string().len() > MAX_PAYLOAD_BYTES {
            return Err(invalid("an input has at most 256 KiB"));
        }
        let (shared, now_ms) = (self.0.clone(), self.0.time.now_ms());
        let begin = move |db: &Connection| -> rusqlite::Result<Option<bool>> {
            let known: Option<Value> = db
                .prepare_cached("SELECT input FROM executions WHERE name = ?")?
                .query_row([&name], |row| storage::document(row, 0))
                .optional()?;
            if let Some(known) = known {
                return Ok(same(&known, &input).then_some(false));
            }
            let mut run = Run::new(&shared.machine, input.clone(), now_ms);
            let mut step = Step { run: &mut run, now_ms, events: Vec::new() };
            step.note(0, "ExecutionStarted", json!({}));
            let events = step.events;
            storage::write_history(db, &name, &events, now_ms)?;
            db.prepare_cached(
                "INSERT INTO executions (name, status, input, started_at_ms, run)
                 VALUES (?, 'RUNNING', ?, ?, ?)",
            )?
            .execute(params![
                name,
                input.to_string(),
                now_ms.cast_signed(),
                storage::text(&run)?
            ])?;
            Ok(Some(true))
        };
        let ringing = self.0.clone();
        let ring = move |_: &Option<bool>| ringing.bells.ring(BELL);
        let begun = self.0.database.write_then("workflow.start", begin, ring).await?;
        begun.ok_or_else(|| invalid("there is an execution of this name with another input"))
    }

    async fn describe(&self, name: &str) -> Result<Option<Execution>, MessagingError> {
        let name = name.to_owned();
        let read = move |db: &Connection| {
            db.prepare_cached(&format!("{} WHERE name = ?", storage::EXECUTION))?
                .query_row([name], storage::execution)
                .optional()
        };
        Ok(self.0.database.read("workflow.describe", read).await?)
    }

    async fn history(
        &self,
        name: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<HistoryEvent>, MessagingError> {
        let name = name.to_owned();
        let read = move |db: &Connection| {
            db.prepare_cached(
                "SELECT id, previous_id, type, at_ms, details FROM history
                 WHERE execution = ? AND id > ? ORDER BY id LIMIT ?",
            )?
            .query_map(params![name, after.cast_signed(), limit as i64], storage::history_event)?
            .collect()
        };
        Ok(self.0.database.read("workflow.history", read).await?)
    }

    async fn list(
        &self,
        status: Option<ExecutionStatus>,
        limit: usize,
    ) -> Result<Vec<Execution>, MessagingError> {
        let read = move |db: &Connection| {
            let of = "WHERE ?1 IS NULL OR status = ?1 ORDER BY number DESC LIMIT ?2";
            db.prepare_cached(&format!("{} {of}", storage::EXECUTION))?
                .query_map(
                    params![status.map(ExecutionStatus::as_str), limit as i64],
                    storage::execution,
                )?
                .collect()
        };
        Ok(self.0.database.read("workflow.list", read).await?)
    }

    async fn answer(
        &self,
        operation: &'static str,
        token: &str,
        answer: Answer,
    ) -> Result<(), MessagingError> {
        let token = token.to_owned();
        let say = move |db: &Connection| -> rusqlite::Result<bool> {
            // An end uses the token up: the first one counts.
            let ends = matches!(answer, Answer::End(_));
            let sql = if ends {
                "DELETE FROM tokens WHERE token = ? RETURNING execution, branch"
            } else {
                "SELECT execution, branch FROM tokens WHERE token = ?"
            };
            let waiting = db
                .prepare_cached(sql)?
                .query_row([&token], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
                .optional()?;
            let Some((execution, branch)) = waiting else { return Ok(false) };
            db.prepare_cached(
                "INSERT INTO answers (execution, branch, token, answer) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![execution, branch, token, storage::text(&answer)?])?;
            Ok(true)
        };
        let ringing = self.0.clone();
        let ring = move |_: &bool| ringing.bells.ring(BELL);
        if self.0.database.write_then(operation, say, ring).await? {
            return Ok(());
        }
        Err(MessagingError::new(MessagingErrorKind::Expired, operation))
    }
}

/// A repeated start may be part of another trace.
fn same(one: &Value, other: &Value) -> bool {
    let plain = |value: &Value| {
        let mut value = value.clone();
        if let Some(members) = value.as_object_mut() {
            members.remove("_trace");
        }
        value
    };
    plain(one) == plain(other)
}

impl Workflow for Engine {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn start<'a>(&'a self, start: &'a Start) -> MessagingFuture<'a, bool> {
        Box::pin(self.start(start))
    }

    fn describe<'a>(&'a self, name: &'a str) -> MessagingFuture<'a, Option<Execution>> {
        Box::pin(self.describe(name))
    }

    fn history<'a>(
        &'a self,
        name: &'a str,
        after: u64,
        limit: usize,
    ) -> MessagingFuture<'a, Vec<HistoryEvent>> {
        Box::pin(self.history(name, after, limit))
    }

    fn list(
        &self,
        status: Option<ExecutionStatus>,
        limit: usize,
    ) -> MessagingFuture<'_, Vec<Execution>> {
        Box::pin(self.list(status, limit))
    }

    fn task_success<'a>(&'a self, token: &'a str, output: &'a Value) -> MessagingFuture<'a, ()> {
        let answer = Answer::End(Ok(output.clone()));
        Box::pin(self.answer("workflow.task_success", token, answer))
    }

    fn task_failure<'a>(
        &'a self,
        token: &'a str,
        failure: &'a TaskFailure,
    ) -> MessagingFuture<'a, ()> {
        let TaskFailure { error, cause } = failure.clone();
        let answer = Answer::End(Err(StateError::new(error, cause)));
        Box::pin(self.answer("workflow.task_failure", token, answer))
    }

    fn task_heartbeat<'a>(&'a self, token: &'a str) -> MessagingFuture<'a, ()> {
        Box::pin(self.answer("workflow.task_heartbeat", token, Answer::Heartbeat))
    }
}
