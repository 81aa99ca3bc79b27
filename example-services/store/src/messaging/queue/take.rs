use rusqlite::{Connection, OptionalExtension, params};
use shop_contracts::topology::QueueSpec;
use shop_domain::port::messaging::{Message, Receive};
use shop_domain::port::millis;

use super::super::row::{self, Receipt};
use crate::sqlite::column::count;

/// What a look into a queue brought.
pub(super) struct Taken {
    pub(super) messages: Vec<Message>,
    /// When another look is worth while, if nothing is sent or given back before.
    pub(super) next_due_ms: Option<u64>,
    /// Whether messages went to the dead-letter queue.
    pub(super) dead_lettered: bool,
}

/// Takes messages out of a queue.
pub(super) fn take(
    db: &Connection,
    queue: &QueueSpec,
    request: Receive,
    now_ms: u64,
) -> rusqlite::Result<Taken> {
    let visible_at_ms =
        now_ms.saturating_add(millis(request.visibility.unwrap_or(queue.visibility)));
    let mut taken = Taken { messages: Vec::new(), next_due_ms: None, dead_lettered: false };
    loop {
        let candidates = visible(db, queue, request.max, now_ms)?;
        if candidates.is_empty() {
            taken.next_due_ms = next_due(db, queue, now_ms)?;
            return Ok(taken);
        }
        for message in candidates {
            match fate(queue, &message.message, now_ms) {
                Fate::Expired => expire(db, message.receipt.sequence)?,
                Fate::DeadLetter(to) => {
                    dead_letter(db, queue, to, message.receipt.sequence, now_ms)?;
                    taken.dead_lettered = true;
                }
                Fate::Received => {
                    taken.messages.push(receive(db, message, visible_at_ms, now_ms)?);
                }
            }
        }
        // Those that were put aside may have stood before others.
        if !taken.messages.is_empty() {
            return Ok(taken);
        }
    }
}

struct Candidate {
    message: Message,
    receipt: Receipt,
}

enum Fate<'a> {
    Expired,
    DeadLetter(&'a str),
    Received,
}

fn fate<'a>(queue: &'a QueueSpec, message: &Message, now_ms: u64) -> Fate<'a> {
    if message.sent_at_ms.saturating_add(millis(queue.retention)) <= now_ms {
        return Fate::Expired;
    }
    match &queue.dead_letter {
        Some(to) if message.receive_count >= to.max_receives => Fate::DeadLetter(&to.queue),
        _ => Fate::Received,
    }
}

fn visible(
    db: &Connection,
    queue: &QueueSpec,
    max: usize,
    now_ms: u64,
) -> rusqlite::Result<Vec<Candidate>> {
    let sql = if queue.name.ends_with(".fifo") {
        // What is invisible in a FIFO queue is in flight, and locks its group.
        row::select!(
            "AS m WHERE queue = ?1 AND visible_at_ms <= ?2 AND NOT EXISTS (
                 SELECT 1 FROM messages AS other WHERE other.queue = ?1
                 AND other.group_id = m.group_id AND other.visible_at_ms > ?2
             ) ORDER BY sequence LIMIT ?3"
        )
    } else {
        row::select!(
            "WHERE queue = ?1 AND visible_at_ms <= ?2 ORDER BY visible_at_ms, sequence LIMIT ?3"
        )
    };
    db.prepare_cached(sql)?
        .query_map(params![queue.name, now_ms.cast_signed(), max as i64], |row| {
            let receipt = Receipt { sequence: row.get(0)?, number: row.get(9)? };
            Ok(Candidate { message: row::message(row)?, receipt })
        })?
        .collect()
}

fn receive(
    db: &Connection,
    Candidate { mut message, mut receipt }: Candidate,
    visible_at_ms: u64,
    now_ms: u64,
) -> rusqlite::Result<Message> {
    receipt.number += 1;
    message.receipt = receipt.write();
    message.receive_count += 1;
    if message.first_received_at_ms == 0 {
        message.first_received_at_ms = now_ms;
    }
    db.prepare_cached(
        "UPDATE messages SET receipt = ?, receive_count = ?, first_received_at_ms = ?,
         visible_at_ms = ? WHERE sequence = ?",
    )?
    .execute(params![
        receipt.number,
        message.receive_count,
        message.first_received_at_ms.cast_signed(),
        visible_at_ms.cast_signed(),
        receipt.sequence
    ])?;
    Ok(message)
}

fn expire(db: &Connection, sequence: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM messages WHERE sequence = ?")?.execute([sequence]).map(drop)
}

fn dead_letter(
    db: &Connection,
    from: &QueueSpec,
    to: &str,
    sequence: i64,
    now_ms: u64,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE messages SET queue = ?, dead_letter_source = ?, receive_count = 0,
         receipt = receipt + 1, visible_at_ms = ? WHERE sequence = ?",
    )?
    .execute(params![to, from.name, now_ms.cast_signed(), sequence])
    .map(drop)
}

fn next_due(db: &Connection, queue: &QueueSpec, now_ms: u64) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached(
        "SELECT visible_at_ms FROM messages WHERE queue = ? AND visible_at_ms > ?
         ORDER BY visible_at_ms LIMIT 1",
    )?
    .query_row(params![queue.name, now_ms.cast_signed()], |row| count(row, 0))
    .optional()
}
