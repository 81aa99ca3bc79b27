use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use crate::error::StateError;

/// What a task comes to.
pub type TaskFuture<'a> = Pin<Box<dyn Future<Output = Result<Value, StateError>> + Send + 'a>>;

/// Does what the tasks of a workflow stand for.
pub trait TaskRunner: Send + Sync + fmt::Debug + 'static {
    /// Does it; the output is the task's result, unless the task waits for its token.
    ///
    /// After a crash the same call is made again, so doing it twice must be as good as once.
    fn run<'a>(&'a self, call: &'a TaskCall) -> TaskFuture<'a>;
}

/// A task to be done.
#[derive(Clone, PartialEq)]
pub struct TaskCall {
    /// The execution.
    pub execution: String,
    /// The state.
    pub state: String,
    /// The resource, such as `arn:aws:states:::lambda:invoke`.
    pub resource: String,
    /// What it is called with. For a task that waits, the token is in here where the definition
    /// puts it.
    pub parameters: Value,
    /// Whether somebody has to answer with the token.
    pub waits_for_token: bool,
    /// How often it failed before.
    pub retries: u32,
    /// The execution's input, whose `_trace` tells which request caused it.
    pub input: Value,
}

/// Tells where it belongs, not what it is called with, which may hold a task token.
impl fmt::Debug for TaskCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCall")
            .field("execution", &self.execution)
            .field("state", &self.state)
            .field("resource", &self.resource)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}
