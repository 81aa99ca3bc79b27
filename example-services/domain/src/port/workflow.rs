use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::messaging::MessagingFuture;

/// The most bytes of an input or output, as in Step Functions.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// A workflow: runs its definition once for each name it is started with.
///
/// Every step is durable before the next begins. After the end of the process an execution goes on
/// where it was; a task that was running is run again, so tasks must be repeatable.
pub trait Workflow: Send + Sync + fmt::Debug + 'static {
    /// The name of the workflow, which Step Functions calls a state machine.
    fn name(&self) -> &str;

    /// Starts an execution, unless there is one of this name with the same input; says whether it
    /// did.
    ///
    /// # Errors
    /// `Invalid` when there is one with another input, when the name is not 1 to 80 of `A-Z a-z
    /// 0-9 - _`, or the input is too large.
    fn start<'a>(&'a self, start: &'a Start) -> MessagingFuture<'a, bool>;

    /// An execution.
    fn describe<'a>(&'a self, name: &'a str) -> MessagingFuture<'a, Option<Execution>>;

    /// Up to `limit` events of an execution after the one with the id `after`, in order; 0 for all.
    fn history<'a>(
        &'a self,
        name: &'a str,
        after: u64,
        limit: usize,
    ) -> MessagingFuture<'a, Vec<HistoryEvent>>;

    /// Up to `limit` executions with `status`, or with any, the latest first.
    fn list(
        &self,
        status: Option<ExecutionStatus>,
        limit: usize,
    ) -> MessagingFuture<'_, Vec<Execution>>;

    /// Ends the task that waits for `token` with an output. The first answer counts.
    ///
    /// # Errors
    /// `Expired` when no task waits for the token (any more).
    fn task_success<'a>(&'a self, token: &'a str, output: &'a Value) -> MessagingFuture<'a, ()>;

    /// Ends the task that waits for `token` with an error, which `Retry` and `Catch` may handle.
    ///
    /// # Errors
    /// `Expired` when no task waits for the token (any more).
    fn task_failure<'a>(
        &'a self,
        token: &'a str,
        failure: &'a TaskFailure,
    ) -> MessagingFuture<'a, ()>;

    /// Says that the task that waits for `token` is being worked on.
    ///
    /// # Errors
    /// `Expired` when no task waits for the token (any more).
    fn task_heartbeat<'a>(&'a self, token: &'a str) -> MessagingFuture<'a, ()>;
}

/// With what an execution starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Its name, for ever.
    pub name: String,
    /// Its input, with `_trace`.
    pub input: Value,
    /// The X-Ray header; Step Functions calls it `traceHeader`.
    pub trace_header: Option<String>,
}

/// How a task failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// The name of the error, which `Retry` and `Catch` know it by.
    pub error: String,
    /// What happened, for people.
    pub cause: String,
}

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// It has not ended.
    Running,
    /// It has come to its end.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It ended because it took too long.
    TimedOut,
}

impl ExecutionStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::TimedOut];

    /// The name in documents and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// An execution of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Execution {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// What it was started with.
    pub input: Value,
    /// What came out, once it has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The name of the error it ended with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What led to that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// When it started, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_at_ms: u64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at_ms: Option<u64>,
}

/// A step of an execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryEvent {
    /// Its place, 1 for the first.
    pub id: u64,
    /// The event that led to it; 0 for the first.
    pub previous_id: u64,
    /// What happened, in Step Functions' words, such as `TaskStateEntered`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// What is to be known about it, such as the name of the state. Never a task token.
    pub details: Value,
}
