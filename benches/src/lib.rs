//! What the suite costs, beside what its users would use instead.
//!
//! A [`Job`] is one thing whose cost is measured: built once, outside the measurement, then run as
//! often as the harness asks. The same job is timed by criterion, counted by an allocation counter
//! and, run by itself under callgrind, counted in instructions.

pub mod budget;
pub mod harness;
pub mod job;
pub mod jobs;
pub mod table;

pub use job::Job;
