use rusqlite::Connection;
use shop_domain::port::StoreError;
use tokio::sync::oneshot;

use super::error::store_error;

/// Work for a thread of the database.
pub(super) trait Job: Send {
    /// Does the work; says whether what it did may be committed.
    fn run(&mut self, db: &Connection) -> bool;

    /// Answers the caller: with the result of the work, or with `failure`.
    fn answer(self: Box<Self>, failure: Option<StoreError>);

    /// The name of the work, for errors.
    fn operation(&self) -> &'static str;
}

/// A closure, its result while the commit is awaited, what follows the commit, and who waits for
/// it.
pub(super) struct Task<F, G, T> {
    operation: &'static str,
    work: Option<F>,
    then: G,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, G, T> Task<F, G, T> {
    pub(super) fn new(
        operation: &'static str,
        work: F,
        then: G,
        reply: oneshot::Sender<Result<T, StoreError>>,
    ) -> Self {
        Self { operation, work: Some(work), then, result: None, reply }
    }
}

impl<F, G, T> Job for Task<F, G, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    G: FnOnce(&T) + Send,
    T: Send,
{
    fn run(&mut self, db: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = work(db);
        let succeeded = result.is_ok();
        self.result = Some(result.map_err(|error| store_error(self.operation, error)));
        succeeded
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match failure {
            Some(failure) => Some(Err(failure)),
            None => self.result,
        };
        if let Some(Ok(value)) = &result {
            (self.then)(value);
        }
        // Nobody listens when the caller's future was dropped; the work stands all the same.
        if let Some(result) = result {
            let _ = self.reply.send(result);
        }
    }

    fn operation(&self) -> &'static str {
        self.operation
    }
}
