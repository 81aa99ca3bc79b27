use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use shop_domain::port::{StoreError, StoreErrorKind};
use tokio::sync::mpsc;

use super::job::Job;

/// The most writes that share a transaction: the first of them waits for the last.
const BATCH: usize = 256;

/// How long to wait for another process that has the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many KiB of a file a connection keeps in memory, instead of SQLite's 2,000: a shop in one
/// process has two dozen connections, and the system keeps what was read lately, too.
const CACHE_KIB: i64 = 512;

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    // Negative: KiB, not pages.
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Starts a thread that hands what is queued to `serve`, in batches.
pub(super) fn start(
    name: &str,
    db: Connection,
    serve: fn(&Connection, Vec<Box<dyn Job>>),
) -> Result<mpsc::Sender<Box<dyn Job>>, StoreError> {
    let (sender, mut queue) = mpsc::channel::<Box<dyn Job>>(super::QUEUE);
    let run = move || {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            serve(&db, std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
        }
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, "open").because(error))?;
    Ok(sender)
}

pub(super) fn read(db: &Connection, batch: Vec<Box<dyn Job>>) {
    for mut job in batch {
        job.run(db);
        job.answer(None);
    }
}

/// Runs the jobs in one transaction, each undone by itself if it fails, and answers them all once
/// the transaction is on the disk.
pub(super) fn write(db: &Connection, mut batch: Vec<Box<dyn Job>>) {
    let committed = transaction(db, &mut batch);
    if committed.is_err() && !db.is_autocommit() {
        // What is not rolled back would be committed with the next batch. If this fails too, the
        // next BEGIN fails, and with it every further write.
        let _ = db.execute_batch("ROLLBACK");
    }
    for job in batch {
        let failure = committed.as_ref().err().map(|error| {
            let operation = job.operation();
            StoreError::new(StoreErrorKind::Unavailable, operation).because(error.to_string())
        });
        job.answer(failure);
    }
}

fn transaction(db: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for job in batch {
        db.prepare_cached("SAVEPOINT job")?.execute([])?;
        if !job.run(db) {
            db.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        db.prepare_cached("RELEASE job")?.execute([])?;
    }
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
