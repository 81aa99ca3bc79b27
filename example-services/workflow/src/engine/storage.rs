//! Executions, their histories and the answers to their tasks, in tables.

use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shop_domain::port::messaging::MessagingError;
use shop_domain::port::{Execution, ExecutionStatus, HistoryEvent};
use shop_store::Database;

use super::history::Event;
use super::run::{End, Run};
use crate::error::StateError;

pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL,
        input TEXT NOT NULL,
        output TEXT,
        error TEXT,
        cause TEXT,
        started_at_ms INTEGER NOT NULL,
        stopped_at_ms INTEGER,
        -- Where it stands; none once it has ended.
        run TEXT
    ) STRICT;
    CREATE INDEX executions_by_status ON executions (status, number);

    CREATE TABLE history (
        execution TEXT NOT NULL,
        id INTEGER NOT NULL,
        previous_id INTEGER NOT NULL,
        type TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        details TEXT NOT NULL,
        PRIMARY KEY (execution, id)
    ) STRICT, WITHOUT ROWID;

    -- Tasks that wait for their token.
    CREATE TABLE tokens (
        token TEXT PRIMARY KEY,
        execution TEXT NOT NULL,
        branch INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_by_execution ON tokens (execution);

    -- What was said with a token and is not yet worked in.
    CREATE TABLE answers (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        execution TEXT NOT NULL,
        branch INTEGER NOT NULL,
        token TEXT NOT NULL,
        answer TEXT NOT NULL
    ) STRICT;
    CREATE INDEX answers_by_execution ON answers (execution, number);
"];

/// What can be said with a token.
#[derive(Serialize, serde::Deserialize)]
pub(super) enum Answer {
    End(Result<Value, StateError>),
    Heartbeat,
}

pub(super) fn text(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn document<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| {
        Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
    })
}

pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}

/// Executions that run and were started after the one with this number.
pub(super) async fn started(
    database: &Database,
    after: u64,
) -> Result<Vec<(u64, String)>, MessagingError> {
    let read = move |db: &Connection| {
        db.prepare_cached(
            "SELECT number, name FROM executions WHERE status = 'RUNNING' AND number > ?
             ORDER BY number",
        )?
        .query_map([after.cast_signed()], |row| Ok((number(row, 0)?, row.get(1)?)))?
        .collect()
    };
    Ok(database.read("workflow.started", read).await?)
}

/// Executions for which something was said.
pub(super) async fn answered(database: &Database) -> Result<Vec<String>, MessagingError> {
    let read = |db: &Connection| {
        db.prepare_cached("SELECT DISTINCT execution FROM answers")?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    Ok(database.read("workflow.answered", read).await?)
}

/// An execution that runs: its input and where it stands.
pub(super) fn load(db: &Connection, name: &str) -> rusqlite::Result<Option<(Value, Run)>> {
    db.prepare_cached("SELECT input, run FROM executions WHERE name = ? AND run IS NOT NULL")?
        .query_row([name], |row| Ok((document(row, 0)?, document(row, 1)?)))
        .optional()
}

pub(super) fn save(db: &Connection, name: &str, run: &Run, now_ms: u64) -> rusqlite::Result<()> {
    let Some(end) = &run.end else {
        db.prepare_cached("UPDATE executions SET run = ? WHERE name = ?")?
            .execute(params![text(run)?, name])?;
        return Ok(());
    };
    let (status, output, error) = match end {
        End::Succeeded(output) => (ExecutionStatus::Succeeded, Some(text(output)?), None),
        End::Failed(error) => (ExecutionStatus::Failed, None, Some(error)),
        End::TimedOut(error) => (ExecutionStatus::TimedOut, None, Some(error)),
    };
    db.prepare_cached(
        "UPDATE executions SET run = NULL, status = ?, output = ?, error = ?, cause = ?,
         stopped_at_ms = ? WHERE name = ?",
    )?
    .execute(params![
        status.as_str(),
        output,
        error.map(|error| &error.error),
        error.map(|error| &error.cause),
        now_ms.cast_signed(),
        name
    ])?;
    db.prepare_cached("DELETE FROM tokens WHERE execution = ?")?.execute([name])?;
    db.prepare_cached("DELETE FROM answers WHERE execution = ?")?.execute([name])?;
    Ok(())
}

pub(super) fn write_history(
    db: &Connection,
    name: &str,
    events: &[Event],
    now_ms: u64,
) -> rusqlite::Result<()> {
    for event in events {
        db.prepare_cached("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
            name,
            event.id.cast_signed(),
            event.previous_id.cast_signed(),
            event.kind,
            now_ms.cast_signed(),
            text(&event.details)?
        ])?;
    }
    Ok(())
}

/// Takes what was said for an execution, in order.
pub(super) fn take_answers(
    db: &Connection,
    name: &str,
) -> rusqlite::Result<Vec<(u64, String, Answer)>> {
    let answers = db
        .prepare_cached(
            "SELECT branch, token, answer FROM answers WHERE execution = ? ORDER BY number",
        )?
        .query_map([name], |row| Ok((number(row, 0)?, row.get(1)?, document(row, 2)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if !answers.is_empty() {
        db.prepare_cached("DELETE FROM answers WHERE execution = ?")?.execute([name])?;
    }
    Ok(answers)
}

pub(super) fn execution(row: &Row<'_>) -> rusqlite::Result<Execution> {
    let status: String = row.get(1)?;
    let output: Option<String> = row.get(3)?;
    Ok(Execution {
        name: row.get(0)?,
        status: ExecutionStatus::parse(&status).ok_or(Error::InvalidQuery)?,
        input: document(row, 2)?,
        output: output.map(|_| document(row, 3)).transpose()?,
        error: row.get(4)?,
        cause: row.get(5)?,
        started_at_ms: number(row, 6)?,
        stopped_at_ms: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
    })
}

pub(super) const EXECUTION: &str = "SELECT name, status, input, output, error, cause, started_at_ms, stopped_at_ms FROM executions";

pub(super) fn history_event(row: &Row<'_>) -> rusqlite::Result<HistoryEvent> {
    Ok(HistoryEvent {
        id: number(row, 0)?,
        previous_id: number(row, 1)?,
        kind: row.get(2)?,
        at_ms: number(row, 3)?,
        details: document(row, 4)?,
    })
}
