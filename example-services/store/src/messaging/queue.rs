mod take;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use shop_contracts::topology::QueueSpec;
use shop_domain::port::messaging::{
    Depth, Message, MessagingError, MessagingErrorKind, MessagingFuture, NewMessage, Queue,
    Receive, Sent,
};
use shop_domain::port::millis;

use super::row::{self, Receipt};
use super::{Shared, check};
use crate::sqlite::column::count;

/// A queue on SQLite; cheap to clone.
#[derive(Clone)]
pub struct SqliteQueue {
    shared: Arc<Shared>,
    at: usize,
}

impl SqliteQueue {
    pub(super) const fn new(shared: Arc<Shared>, at: usize) -> Self {
        Self { shared, at }
    }

    fn spec(&self) -> &QueueSpec {
        &self.shared.topology.queues[self.at]
    }

    async fn send(&self, message: &NewMessage) -> Result<Sent, MessagingError> {
        check::queue_message(self.is_fifo(), message)?;
        let (queue, message, ringing) = (self.clone(), message.clone(), self.clone());
        let now_ms = self.shared.now_ms();
        let send = move |db: &Connection| row::insert(db, queue.spec(), &message, now_ms);
        let ring = move |_: &Sent| ringing.ring();
        Ok(self.shared.database.write_then("queue.send", send, ring).await?)
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Message>, MessagingError> {
        check::receive(request)?;
        let mut bell = self.shared.bells.listen(self.name());
        let until_ms = self.shared.now_ms().saturating_add(millis(request.wait));
        loop {
            let taken = self.take(request).await?;
            if !taken.messages.is_empty() || self.shared.now_ms() >= until_ms {
                return Ok(taken.messages);
            }
            let due_ms = taken.next_due_ms.map_or(until_ms, |due_ms| due_ms.min(until_ms));
            tokio::select! {
                () = bell.rings() => {}
                () = self.shared.time.sleep_until(due_ms) => {}
            }
        }
    }

    async fn take(&self, request: Receive) -> Result<take::Taken, MessagingError> {
        let (queue, ringing) = (self.clone(), self.clone());
        let now_ms = self.shared.now_ms();
        let take = move |db: &Connection| take::take(db, queue.spec(), request, now_ms);
        let ring = move |taken: &take::Taken| {
            if taken.dead_lettered
                && let Some(dead_letter) = &ringing.spec().dead_letter
            {
                ringing.shared.bells.ring(&dead_letter.queue);
            }
        };
        Ok(self.shared.database.write_then("queue.receive", take, ring).await?)
    }

    async fn delete(&self, receipt: &str) -> Result<(), MessagingError> {
        let Some(receipt) = Receipt::read(receipt) else { return Ok(()) };
        let (name, ringing) = (self.name().to_owned(), self.clone());
        let delete = move |db: &Connection| {
            db.prepare_cached(
                "DELETE FROM messages WHERE sequence = ? AND receipt = ? AND queue = ?",
            )?
            .execute(params![receipt.sequence, receipt.number, name])
        };
        // The next message of the group may come now.
        let ring = move |deleted: &usize| {
            if *deleted > 0 && ringing.is_fifo() {
                ringing.ring();
            }
        };
        self.shared.database.write_then("queue.delete", delete, ring).await?;
        Ok(())
    }

    async fn extend(&self, receipt: &str, visibility: Duration) -> Result<(), MessagingError> {
        check::visibility("queue.extend", visibility)?;
        let expired = || MessagingError::new(MessagingErrorKind::Expired, "queue.extend");
        let receipt = Receipt::read(receipt).ok_or_else(expired)?;
        let (name, ringing) = (self.name().to_owned(), self.clone());
        let now_ms = self.shared.now_ms();
        let visible_at_ms = now_ms.saturating_add(millis(visibility));
        let extend = move |db: &Connection| {
            db.prepare_cached(
                "UPDATE messages SET visible_at_ms = ?
                 WHERE sequence = ? AND receipt = ? AND queue = ? AND visible_at_ms > ?",
            )?
            .execute(params![
                visible_at_ms.cast_signed(),
                receipt.sequence,
                receipt.number,
                name,
                now_ms.cast_signed()
            ])
        };
        // It may be due earlier than those who wait have been told.
        let ring = move |_: &usize| ringing.ring();
        match self.shared.database.write_then("queue.extend", extend, ring).await? {
            0 => Err(expired()),
            _ => Ok(()),
        }
    }

    async fn redrive(&self, limit: usize) -> Result<usize, MessagingError> {
        let (name, ringing, now_ms) = (self.name().to_owned(), self.clone(), self.shared.now_ms());
        let redrive = move |db: &Connection| -> rusqlite::Result<Vec<String>> {
            db.prepare_cached(
                "UPDATE messages SET queue = dead_letter_source, dead_letter_source = NULL,
                 receive_count = 0, receipt = receipt + 1, visible_at_ms = ?2
                 WHERE sequence IN (
                     SELECT sequence FROM messages WHERE queue = ?1 AND visible_at_ms <= ?2
                     AND dead_letter_source IS NOT NULL ORDER BY sequence LIMIT ?3
                 ) RETURNING queue",
            )?
            .query_map(params![name, now_ms.cast_signed(), limit as i64], |row| row.get(0))?
            .collect()
        };
        let ring = move |queues: &Vec<String>| {
            queues.iter().for_each(|queue| ringing.shared.bells.ring(queue));
        };
        Ok(self.shared.database.write_then("queue.redrive", redrive, ring).await?.len())
    }

    async fn depth(&self) -> Result<Depth, MessagingError> {
        let (name, now_ms) = (self.name().to_owned(), self.shared.now_ms());
        let depth = move |db: &Connection| {
            db.prepare_cached(
                "SELECT coalesce(sum(visible_at_ms <= ?2), 0),
                 coalesce(sum(visible_at_ms > ?2 AND receive_count > 0), 0),
                 coalesce(sum(visible_at_ms > ?2 AND receive_count = 0), 0),
                 coalesce(min(sent_at_ms), ?2) FROM messages WHERE queue = ?1",
            )?
            .query_row(params![name, now_ms.cast_signed()], |row| {
                Ok(Depth {
                    visible: count(row, 0)?,
                    in_flight: count(row, 1)?,
                    delayed: count(row, 2)?,
                    oldest_age_ms: now_ms.saturating_sub(count(row, 3)?),
                })
            })
        };
        Ok(self.shared.database.read("queue.depth", depth).await?)
    }

    async fn peek(&self, limit: usize) -> Result<Vec<Message>, MessagingError> {
        let name = self.name().to_owned();
        let peek = move |db: &Connection| {
            db.prepare_cached(row::select!("WHERE queue = ? ORDER BY sequence LIMIT ?"))?
                .query_map(params![name, limit as i64], row::message)?
                .collect()
        };
        Ok(self.shared.database.read("queue.peek", peek).await?)
    }

    fn ring(&self) {
        self.shared.bells.ring(self.name());
    }
}

impl Queue for SqliteQueue {
    fn name(&self) -> &str {
        &self.spec().name
    }

    fn send<'a>(&'a self, message: &'a NewMessage) -> MessagingFuture<'a, Sent> {
        Box::pin(self.send(message))
    }

    fn receive(&self, request: Receive) -> MessagingFuture<'_, Vec<Message>> {
        Box::pin(self.receive(request))
    }

    fn delete<'a>(&'a self, receipt: &'a str) -> MessagingFuture<'a, ()> {
        Box::pin(self.delete(receipt))
    }

    fn extend<'a>(&'a self, receipt: &'a str, visibility: Duration) -> MessagingFuture<'a, ()> {
        Box::pin(self.extend(receipt, visibility))
    }

    fn redrive(&self, limit: usize) -> MessagingFuture<'_, usize> {
        Box::pin(self.redrive(limit))
    }

    fn depth(&self) -> MessagingFuture<'_, Depth> {
        Box::pin(self.depth())
    }

    fn peek(&self, limit: usize) -> MessagingFuture<'_, Vec<Message>> {
        Box::pin(self.peek(limit))
    }
}

impl fmt::Debug for SqliteQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteQueue").field("name", &self.spec().name).finish_non_exhaustive()
    }
}
