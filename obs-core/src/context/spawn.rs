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
/// ```
/// use obs_core::context::{RequestContext, spawn_blocking};
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let _entered = request.enter();
/// let task = spawn_blocking(|| RequestContext::current().is_some());
/// assert!(task.await.unwrap());
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use obs_core::context::{JoinSetExt, RequestContext};
/// use obs_core::telemetry::Telemetry;
/// use tokio::task::JoinSet;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let _entered = request.enter();
/// let mut tasks = JoinSet::new();
/// tasks.spawn_in_context(async { RequestContext::current().is_some() });
/// tasks.spawn_blocking_in_context(|| RequestContext::current().is_some());
/// assert_eq!(tasks.join_all().await, [true, true]);
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
