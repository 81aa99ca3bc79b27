//! Spawning on tokio without losing the request.

use std::future::Future;

use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::{InCurrentContext, wrap};

/// [`tokio::spawn`], in the current context.
///
/// # Panics
/// Outside a tokio runtime, as `tokio::spawn` does.
///
/// ```
/// use obs_core::context;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let task = context::spawn(async { /* lines carry the request's ids */ });
/// task.await.unwrap();
/// # }
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(future.in_current_context())
}

/// [`tokio::task::spawn_blocking`], in the current context.
///
/// # Panics
/// Outside a tokio runtime, as `spawn_blocking` does.
#[track_caller]
pub fn spawn_blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> JoinHandle<R> {
    tokio::task::spawn_blocking(wrap(work))
}

/// [`JoinSet`]'s spawning methods, in the current context.
pub trait JoinSetExt<T> {
    /// [`JoinSet::spawn`], in the current context.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    fn spawn_in_context<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send;

    /// [`JoinSet::spawn_blocking`], in the current context.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    fn spawn_blocking_in_context<F>(&mut self, work: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send;
}

impl<T: 'static> JoinSetExt<T> for JoinSet<T> {
    #[track_caller]
    fn spawn_in_context<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.spawn(future.in_current_context())
    }

    #[track_caller]
    fn spawn_blocking_in_context<F>(&mut self, work: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.spawn_blocking(wrap(work))
    }
}
