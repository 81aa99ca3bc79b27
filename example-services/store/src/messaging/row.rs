use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row, params};
use sha2::{Digest, Sha256};
use shop_contracts::topology::QueueSpec;
use shop_domain::port::messaging::{Attributes, DEDUPLICATION_INTERVAL, Message, NewMessage, Sent};
use shop_domain::port::millis;

use crate::sqlite::column::{count, parsed};

/// Every so many messages, those that are too old are looked for.
const SWEEP_EVERY: u64 = 1_024;

/// The columns that [`message`] reads.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT sequence, body, attributes, system_attributes, receive_count, sent_at_ms,
             first_received_at_ms, group_id, dead_letter_source, receipt FROM messages ",
            $tail
        )
    };
}
pub(super) use select;

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let sequence = count(row, 0)?;
    let attributes = |index| parsed(row, index, |text| serde_json::from_str(text).ok());
    let group_id: Option<String> = row.get(7)?;
    Ok(Message {
        message_id: message_id(sequence),
        receipt: String::new(),
        body: row.get(1)?,
        attributes: attributes(2)?,
        system_attributes: attributes(3)?,
        receive_count: u32::try_from(count(row, 4)?).unwrap_or(u32::MAX),
        sent_at_ms: count(row, 5)?,
        first_received_at_ms: row.get::<_, Option<i64>>(6)?.map_or(0, i64::cast_unsigned),
        sequence: group_id.is_some().then_some(sequence),
        group_id,
        dead_letter_source: row.get(8)?,
    })
}

pub(super) fn message_id(sequence: u64) -> String {
    format!("msg-{sequence}")
}

/// Which receipt of which message this is.
pub(super) struct Receipt {
    pub(super) sequence: i64,
    pub(super) number: i64,
}

impl Receipt {
    pub(super) fn write(&self) -> String {
        format!("{}.{}", self.sequence, self.number)
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (sequence, number) = text.split_once('.')?;
        Some(Self { sequence: sequence.parse().ok()?, number: number.parse().ok()? })
    }
}

/// Puts a message into a queue.
pub(super) fn insert(
    db: &Connection,
    queue: &QueueSpec,
    new: &NewMessage,
    now_ms: u64,
) -> rusqlite::Result<Sent> {
    let fifo = new.group_id.is_some();
    let deduplication_id = fifo.then(|| deduplication_id(new));
    if let Some(id) = &deduplication_id
        && let Some(sequence) = duplicate(db, queue, id, now_ms)?
    {
        return Ok(Sent { message_id: message_id(sequence), sequence: Some(sequence) });
    }
    let delay = new.delay.unwrap_or(queue.delay);
    db.prepare_cached(
        "INSERT INTO messages (queue, body, attributes, system_attributes, group_id, sent_at_ms,
         visible_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        queue.name,
        new.body,
        json(&new.attributes)?,
        json(&new.system_attributes)?,
        new.group_id,
        now_ms.cast_signed(),
        now_ms.saturating_add(millis(delay)).cast_signed(),
    ])?;
    let sequence = db.last_insert_rowid().cast_unsigned();
    if let Some(id) = &deduplication_id {
        db.prepare_cached("INSERT INTO deduplications VALUES (?, ?, ?, ?)")?.execute(params![
            queue.name,
            id,
            sequence.cast_signed(),
            now_ms.cast_signed()
        ])?;
    }
    if sequence.is_multiple_of(SWEEP_EVERY) {
        sweep(db, queue, now_ms)?;
    }
    Ok(Sent { message_id: message_id(sequence), sequence: fifo.then_some(sequence) })
}

fn deduplication_id(new: &NewMessage) -> String {
    new.deduplication_id.clone().unwrap_or_else(|| {
        Sha256::digest(&new.body).iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

fn duplicate(
    db: &Connection,
    queue: &QueueSpec,
    id: &str,
    now_ms: u64,
) -> rusqlite::Result<Option<u64>> {
    let forgotten = now_ms.saturating_sub(millis(DEDUPLICATION_INTERVAL));
    db.prepare_cached("DELETE FROM deduplications WHERE queue = ? AND at_ms <= ?")?
        .execute(params![queue.name, forgotten.cast_signed()])?;
    let mut known = db.prepare_cached(
        "SELECT sequence FROM deduplications WHERE queue = ? AND deduplication_id = ?",
    )?;
    let mut rows = known.query(params![queue.name, id])?;
    rows.next()?.map(|row| count(row, 0)).transpose()
}

/// Removes messages that have been there for too long.
fn sweep(db: &Connection, queue: &QueueSpec, now_ms: u64) -> rusqlite::Result<usize> {
    let oldest = now_ms.saturating_sub(millis(queue.retention));
    db.prepare_cached("DELETE FROM messages WHERE queue = ? AND sent_at_ms < ?")?
        .execute(params![queue.name, oldest.cast_signed()])
}

fn json(attributes: &Attributes) -> rusqlite::Result<String> {
    serde_json::to_string(attributes).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

/// A text that must be JSON.
pub(super) fn document(text: &str, column: usize) -> rusqlite::Result<serde_json::Value> {
    serde_json::from_str(text)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}
