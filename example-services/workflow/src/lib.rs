//! Runs state machines written in the Amazon States Language, with their state and history in
//! SQLite: the embedded counterpart of Step Functions.
//!
//! | module | holds |
//! |---|---|
//! | [`definition`] | the language: what is read, and what is refused |
//! | [`Engine`] | [`Workflow`](shop_domain::port::Workflow) on SQLite |
//! | [`TaskRunner`] | what a task does, which the application says |
//!
//! Supported: `Task` (with `.waitForTaskToken`, timeouts and heartbeats), `Choice`, `Wait`,
//! `Parallel`, `Pass`, `Succeed`, `Fail`, `Retry`, `Catch`; JSONPath with `InputPath`,
//! `Parameters`, `ResultSelector`, `ResultPath`, `OutputPath`; the intrinsic functions
//! `States.Format`, `States.Array` and `States.JsonToString`. What else the language has, such as
//! `Map` and JSONata, is refused when a definition is read.

pub mod definition;
mod engine;
mod error;

pub use definition::Machine;
pub use engine::{Engine, TaskCall, TaskFuture, TaskRunner};
pub use error::{DefinitionError, StateError};
