//! An outbox in the file of a store.
//!
//! A store adds [`MIGRATION`] to its migrations, calls [`append`] in the transaction that makes a
//! change, rings its [`Bell`] once that is committed, and gives out a [`SqliteOutbox`].

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Error, Row, params};
use shop_domain::port::messaging::NewEvent;
use shop_domain::port::{Backlog, Outbox, Pending, StoreError, StoreFuture, Time, millis};
use tokio::sync::watch;

use crate::sqlite::Database;
use crate::sqlite::column::{count, parsed};

/// The table of an outbox.
pub const MIGRATION: &str = "
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        event TEXT NOT NULL,
        time_ms INTEGER NOT NULL
    ) STRICT;
";

/// Writes an event, in the transaction that the connection is in.
///
/// # Errors
/// When it cannot be written.
pub fn append(db: &Connection, event: &NewEvent) -> rusqlite::Result<()> {
    let text = serde_json::to_string(event)
        .map_err(|error| Error::ToSqlConversionFailure(error.into()))?;
    db.prepare_cached("INSERT INTO outbox (event, time_ms) VALUES (?, ?)")?
        .execute(params![text, event.time_ms.cast_signed()])
        .map(drop)
}

/// Wakes the relay of an outbox; clones are one.
#[derive(Clone, Debug)]
pub struct Bell(watch::Sender<u64>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Bell {
    /// Says that an event was committed.
    pub fn ring(&self) {
        self.0.send_modify(|rings| *rings = rings.wrapping_add(1));
    }
}

/// An outbox on SQLite; cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteOutbox {
    database: Database,
    bell: Bell,
    time: Arc<dyn Time>,
}

impl SqliteOutbox {
    /// The outbox in `database`, whose store rings `bell`.
    #[must_use]
    pub const fn new(database: Database, bell: Bell, time: Arc<dyn Time>) -> Self {
        Self { database, bell, time }
    }

    async fn pending(&self, limit: usize, wait: Duration) -> Result<Vec<Pending>, StoreError> {
        let mut bell = self.bell.0.subscribe();
        let until_ms = self.time.now_ms().saturating_add(millis(wait));
        loop {
            let read = move |db: &Connection| {
                db.prepare_cached("SELECT id, event FROM outbox ORDER BY id LIMIT ?")?
                    .query_map([limit as i64], pending)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            let found = self.database.read("outbox.pending", read).await?;
            if !found.is_empty() || self.time.now_ms() >= until_ms {
                return Ok(found);
            }
            tokio::select! {
                _ = bell.changed() => {}
                () = self.time.sleep_until(until_ms) => {}
            }
        }
    }
}

fn pending(row: &Row<'_>) -> rusqlite::Result<Pending> {
    Ok(Pending {
        id: count(row, 0)?,
        event: parsed(row, 1, |text| serde_json::from_str(text).ok())?,
    })
}

impl Outbox for SqliteOutbox {
    fn pending(&self, limit: usize, wait: Duration) -> StoreFuture<'_, Vec<Pending>> {
        Box::pin(self.pending(limit, wait))
    }

    fn published<'a>(&'a self, ids: &'a [u64]) -> StoreFuture<'a, ()> {
        let ids = ids.to_vec();
        let delete = move |db: &Connection| {
            let mut delete = db.prepare_cached("DELETE FROM outbox WHERE id = ?")?;
            ids.iter().try_for_each(|id| delete.execute([id.cast_signed()]).map(drop))
        };
        Box::pin(self.database.write("outbox.published", delete))
    }

    fn backlog(&self) -> StoreFuture<'_, Backlog> {
        let read = |db: &Connection| {
            db.query_row("SELECT count(*), min(time_ms) FROM outbox", [], |row| {
                let oldest_ms: Option<i64> = row.get(1)?;
                Ok(Backlog { events: count(row, 0)?, oldest_ms: oldest_ms.map(i64::cast_unsigned) })
            })
        };
        Box::pin(self.database.read("outbox.backlog", read))
    }
}
