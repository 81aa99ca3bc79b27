//! What a command has found out, before it is told.

use serde_json::Value;

use crate::client::Fault;

/// What a command has found out: whether all is well, and what to tell.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Whether the exit code is 0.
    pub(crate) good: bool,
    /// For programs.
    pub(crate) json: Value,
    /// For people.
    pub(crate) text: String,
}

pub(crate) type Found = Result<Finding, Fault>;
