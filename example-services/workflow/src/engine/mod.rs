//! Executions, driven.

mod drive;
mod entry;
mod history;
mod outcome;
mod run;
mod runner;
mod storage;
mod surroundings;
mod workflow;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use obs_core::clock::Clock;
use obs_core::id::IdGenerator;
use shop_domain::port::messaging::MessagingError;
use shop_domain::port::{StoreError, Time};
use shop_store::{Bells, Database};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub use self::runner::{TaskCall, TaskFuture, TaskRunner};
use crate::definition::Machine;

/// The bell that rings when there is something to do for who drives.
const BELL: &str = "workflow";

/// A workflow on SQLite; cheap to clone.
///
/// Any process that has the file open may start executions and answer tasks. One of them
/// [drives](Engine::drive).
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    name: String,
    machine: Machine,
    database: Database,
    bells: Bells,
    time: Arc<dyn Time>,
    ids: IdGenerator,
    clock: Clock,
    /// Those who drive an execution, to be woken when something happens to it.
    driven: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Engine {
    /// Opens or creates the file at `path` for the executions of `machine`, which is called `name`.
    ///
    /// Task tokens come from `ids`, which must not be guessable in production.
    ///
    /// # Errors
    /// When the file cannot be opened or is not ours.
    pub fn open(
        path: &Path,
        name: impl Into<String>,
        machine: Machine,
        time: Arc<dyn Time>,
        ids: IdGenerator,
    ) -> Result<Self, StoreError> {
        let database = Database::open(path, storage::MIGRATIONS)?;
        let bells = Bells::open(path, [BELL.to_owned()].into_iter());
        let driven = Mutex::default();
        let (name, clock) = (name.into(), Clock::system());
        Ok(Self(Arc::new(Shared { name, machine, database, bells, time, ids, clock, driven })))
    }

    /// The database, for health checks.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Drives all executions, those that another process left among them, until it is dropped.
    ///
    /// A task that was running when its driver ended is run again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drive(&self, runner: Arc<dyn TaskRunner>) -> Result<(), MessagingError> {
        let mut bell = self.0.bells.listen(BELL);
        let mut executions = JoinSet::new();
        let mut seen = 0;
        loop {
            for (number, name) in storage::started(&self.0.database, seen).await? {
                seen = number;
                let wake = Arc::new(Notify::new());
                self.driven().insert(name.clone(), Arc::clone(&wake));
                let (engine, runner) = (self.clone(), Arc::clone(&runner));
                executions.spawn(async move {
                    let ended = drive::execution(&engine.0, &name, &wake, runner).await;
                    if let Err(error) = ended {
                        tracing::error!(execution = name, %error, "execution is not driven on");
                    }
                    engine.driven().remove(&name);
                });
            }
            for name in storage::answered(&self.0.database).await? {
                if let Some(wake) = self.driven().get(&name) {
                    wake.notify_one();
                }
            }
            tokio::select! {
                () = bell.rings() => {}
                Some(_) = executions.join_next() => {}
            }
        }
    }

    fn driven(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        // Nothing panics under this lock.
        self.0.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("name", &self.0.name).finish_non_exhaustive()
    }
}
