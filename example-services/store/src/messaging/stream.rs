use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row, params};
use shop_contracts::topology::StreamSpec;
use shop_domain::port::messaging::{
    Appended, Lag, MAX_RECORD_BYTES, MAX_RECORDS, MessagingError, MessagingFuture, Position,
    Record, Stream,
};
use shop_domain::port::millis;

use super::Shared;
use super::delivery::{Delivery, shard_name};
use crate::sqlite::column::count;

/// The most characters of a partition key, as in Kinesis.
const MAX_KEY: usize = 256;

/// A stream on SQLite; cheap to clone.
#[derive(Clone)]
pub struct SqliteStream {
    shared: Arc<Shared>,
    at: usize,
}

impl SqliteStream {
    pub(super) const fn new(shared: Arc<Shared>, at: usize) -> Self {
        Self { shared, at }
    }

    fn spec(&self) -> &StreamSpec {
        &self.shared.topology.streams[self.at]
    }

    async fn put(&self, key: &str, data: &[u8]) -> Result<Appended, MessagingError> {
        if !(1..=MAX_KEY).contains(&key.chars().count()) {
            let rule = "a partition key has 1 to 256 characters";
            return Err(MessagingError::invalid("stream.put", rule));
        }
        if data.len() > MAX_RECORD_BYTES {
            let rule = "a record has at most 1 MiB";
            return Err(MessagingError::invalid("stream.put", rule));
        }
        let (stream, key, data) = (self.clone(), key.to_owned(), data.to_vec());
        let put = move |db: &Connection| {
            let (topology, now_ms) = (&stream.shared.topology, stream.shared.now_ms());
            let mut delivery = Delivery { db, topology, now_ms, reached: Vec::new() };
            delivery.stream(stream.spec(), &key, &data)
        };
        let ringing = self.clone();
        let ring = move |_: &Appended| ringing.shared.bells.ring(&ringing.spec().name);
        Ok(self.shared.database.write_then("stream.put", put, ring).await?)
    }

    /// The number of a shard, by its name.
    fn shard(&self, operation: &'static str, name: &str) -> Result<u32, MessagingError> {
        (0..self.spec().shards)
            .find(|shard| shard_name(*shard) == name)
            .ok_or_else(|| MessagingError::not_found(operation, format!("shard {name}")))
    }

    async fn read(
        &self,
        shard: &str,
        position: Position,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Record>, MessagingError> {
        if !(1..=MAX_RECORDS).contains(&max) {
            let rule = format!("1 to {MAX_RECORDS} records can be read");
            return Err(MessagingError::invalid("stream.read", rule));
        }
        let shard = self.shard("stream.read", shard)?;
        let mut bell = self.shared.bells.listen(&self.spec().name);
        let until_ms = self.shared.now_ms().saturating_add(millis(wait));
        loop {
            let stream = self.clone();
            let read = move |db: &Connection| records(db, stream.spec(), shard, position, max);
            let records = self.shared.database.read("stream.read", read).await?;
            if !records.is_empty() || self.shared.now_ms() >= until_ms {
                return Ok(records);
            }
            tokio::select! {
                () = bell.rings() => {}
                () = self.shared.time.sleep_until(until_ms) => {}
            }
        }
    }

    async fn checkpoint(&self, reader: &str, shard: &str) -> Result<Option<u64>, MessagingError> {
        let shard = self.shard("stream.checkpoint", shard)?;
        let (name, reader) = (self.spec().name.clone(), reader.to_owned());
        let read = move |db: &Connection| checkpoint(db, &name, &reader, shard);
        Ok(self.shared.database.read("stream.checkpoint", read).await?)
    }

    async fn advance(
        &self,
        reader: &str,
        shard: &str,
        sequence: u64,
    ) -> Result<(), MessagingError> {
        let shard = self.shard("stream.advance", shard)?;
        let (name, reader) = (self.spec().name.clone(), reader.to_owned());
        let advance = move |db: &Connection| {
            db.prepare_cached(
                "INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET sequence = max(sequence, ?4)",
            )?
            .execute(params![name, reader, shard, sequence.cast_signed()])
        };
        self.shared.database.write("stream.advance", advance).await?;
        Ok(())
    }

    async fn reset(&self, reader: &str) -> Result<(), MessagingError> {
        let (name, reader) = (self.spec().name.clone(), reader.to_owned());
        let reset = move |db: &Connection| {
            db.prepare_cached("DELETE FROM checkpoints WHERE stream = ? AND reader = ?")?
                .execute([name, reader])
        };
        self.shared.database.write("stream.reset", reset).await?;
        Ok(())
    }

    async fn lag(&self, reader: &str) -> Result<Lag, MessagingError> {
        let (stream, reader, now_ms) = (self.clone(), reader.to_owned(), self.shared.now_ms());
        let lag = move |db: &Connection| {
            let mut lag = Lag::default();
            for shard in 0..stream.spec().shards {
                let after = checkpoint(db, &stream.spec().name, &reader, shard)?.unwrap_or(0);
                let (records, oldest_ms) = db
                    .prepare_cached(
                        "SELECT count(*), coalesce(min(put_at_ms), ?4) FROM records
                         WHERE stream = ?1 AND shard = ?2 AND sequence > ?3",
                    )?
                    .query_row(
                        params![
                            stream.spec().name,
                            shard,
                            after.cast_signed(),
                            now_ms.cast_signed()
                        ],
                        |row| Ok((count(row, 0)?, count(row, 1)?)),
                    )?;
                lag.records += records;
                lag.age_ms = lag.age_ms.max(now_ms.saturating_sub(oldest_ms));
            }
            Ok(lag)
        };
        Ok(self.shared.database.read("stream.lag", lag).await?)
    }
}

fn checkpoint(
    db: &Connection,
    stream: &str,
    reader: &str,
    shard: u32,
) -> rusqlite::Result<Option<u64>> {
    let mut statement = db.prepare_cached(
        "SELECT sequence FROM checkpoints WHERE stream = ? AND reader = ? AND shard = ?",
    )?;
    let mut rows = statement.query(params![stream, reader, shard])?;
    rows.next()?.map(|row| count(row, 0)).transpose()
}

fn records(
    db: &Connection,
    stream: &StreamSpec,
    shard: u32,
    position: Position,
    max: usize,
) -> rusqlite::Result<Vec<Record>> {
    let (after, from_ms) = match position {
        Position::Oldest => (0, 0),
        Position::After(sequence) => (sequence, 0),
        Position::At(at_ms) => (0, at_ms),
    };
    let record = |row: &Row<'_>| {
        Ok(Record {
            sequence: count(row, 0)?,
            key: row.get(1)?,
            data: row.get(2)?,
            put_at_ms: count(row, 3)?,
        })
    };
    db.prepare_cached(
        "SELECT sequence, partition_key, data, put_at_ms FROM records
         WHERE stream = ? AND shard = ? AND sequence > ? AND put_at_ms >= ?
         ORDER BY sequence LIMIT ?",
    )?
    .query_map(
        params![stream.name, shard, after.cast_signed(), from_ms.cast_signed(), max as i64],
        record,
    )?
    .collect()
}

impl Stream for SqliteStream {
    fn name(&self) -> &str {
        &self.spec().name
    }

    fn shards(&self) -> MessagingFuture<'_, Vec<String>> {
        let shards = (0..self.spec().shards).map(shard_name).collect();
        Box::pin(std::future::ready(Ok(shards)))
    }

    fn put<'a>(&'a self, key: &'a str, data: &'a [u8]) -> MessagingFuture<'a, Appended> {
        Box::pin(self.put(key, data))
    }

    fn read<'a>(
        &'a self,
        shard: &'a str,
        position: Position,
        max: usize,
        wait: Duration,
    ) -> MessagingFuture<'a, Vec<Record>> {
        Box::pin(self.read(shard, position, max, wait))
    }

    fn checkpoint<'a>(
        &'a self,
        reader: &'a str,
        shard: &'a str,
    ) -> MessagingFuture<'a, Option<u64>> {
        Box::pin(self.checkpoint(reader, shard))
    }

    fn advance<'a>(
        &'a self,
        reader: &'a str,
        shard: &'a str,
        sequence: u64,
    ) -> MessagingFuture<'a, ()> {
        Box::pin(self.advance(reader, shard, sequence))
    }

    fn reset<'a>(&'a self, reader: &'a str) -> MessagingFuture<'a, ()> {
        Box::pin(self.reset(reader))
    }

    fn lag<'a>(&'a self, reader: &'a str) -> MessagingFuture<'a, Lag> {
        Box::pin(self.lag(reader))
    }
}

impl fmt::Debug for SqliteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStream").field("name", &self.spec().name).finish_non_exhaustive()
    }
}
