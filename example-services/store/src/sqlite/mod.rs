//! A SQLite file with one writing and one reading thread.

pub(crate) mod column;
mod error;
mod job;
mod migrate;
#[cfg(test)]
mod tests;
mod worker;

use std::fmt;
use std::path::Path;

use rusqlite::Connection;
use shop_domain::port::{StoreError, StoreErrorKind};
use tokio::sync::{mpsc, oneshot};

use self::error::store_error;
use self::job::{Job, Task};

/// The jobs that may wait for a thread; a further caller waits until there is room.
const QUEUE: usize = 1_024;

/// A SQLite database; cheap to clone.
///
/// Its threads end when the last clone is gone and what was queued is done.
#[derive(Clone)]
pub struct Database {
    writer: mpsc::Sender<Box<dyn Job>>,
    reader: mpsc::Sender<Box<dyn Job>>,
}

impl Database {
    /// Opens the file at `path`, creates it if need be, and brings its tables up to date.
    ///
    /// `migrations` are run in order, each once in the life of the file.
    ///
    /// # Errors
    /// When the file cannot be opened or a migration fails.
    pub fn open(path: &Path, migrations: &[&str]) -> Result<Self, StoreError> {
        let failed = |error| store_error("open", error);
        let mut writing = worker::connect(path).map_err(failed)?;
        migrate::run(&mut writing, migrations).map_err(failed)?;
        let reading = worker::connect(path).map_err(failed)?;
        reading.pragma_update(None, "query_only", true).map_err(failed)?;
        Ok(Self {
            writer: worker::start("sqlite-writer", writing, worker::write)?,
            reader: worker::start("sqlite-reader", reading, worker::read)?,
        })
    }

    /// Runs `task` in a transaction; returns once it is committed.
    ///
    /// An error from `task` undoes what it did and leaves others in the same transaction alone.
    /// Cancel-safe: dropping the future leaves open whether the write happens, never half of it.
    ///
    /// # Errors
    /// When `task` fails or what it wrote cannot be committed.
    pub async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        task: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        submit(&self.writer, operation, task, |_| {}).await
    }

    /// As [`Database::write`], and calls `then` with the result once it is committed, also when the
    /// future has been dropped by then.
    ///
    /// `then` runs on the writing thread: it must not wait.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_then<T: Send + 'static>(
        &self,
        operation: &'static str,
        task: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        submit(&self.writer, operation, task, then).await
    }

    /// Runs `task` on what is committed.
    ///
    /// # Errors
    /// When `task` fails.
    pub async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        task: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        submit(&self.reader, operation, task, |_| {}).await
    }

    /// Answers when both threads do their work.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read("ping", |db| db.query_row("SELECT 1", [], |_| Ok(()))).await?;
        self.write("ping", |_| Ok(())).await
    }
}

/// Opens a store that is its database alone, by the migrations in its module.
macro_rules! opens {
    ($store:ident) => {
        impl $store {
            /// Opens or creates the file at `path`.
            ///
            /// # Errors
            /// When it cannot be opened or is not ours.
            pub fn open(path: &Path) -> Result<Self, StoreError> {
                Database::open(path, MIGRATIONS).map(Self)
            }

            /// The database, for health checks.
            #[must_use]
            pub const fn database(&self) -> &Database {
                &self.0
            }
        }
    };
}

pub(crate) use opens;

async fn submit<T: Send + 'static>(
    queue: &mpsc::Sender<Box<dyn Job>>,
    operation: &'static str,
    task: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    then: impl FnOnce(&T) + Send + 'static,
) -> Result<T, StoreError> {
    let closed = || StoreError::new(StoreErrorKind::Unavailable, operation);
    let (reply, answer) = oneshot::channel();
    queue.send(Box::new(Task::new(operation, task, then, reply))).await.map_err(|_| closed())?;
    answer.await.map_err(|_| closed())?
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}
