//! What the suite costs, beside what its users would use instead.
//!
//! A [`Job`] is one thing whose cost is measured: built once, outside the measurement, then run as
//! often as the harness asks. The bench `suite` times every job with criterion and counts its
//! allocations; the bench `one` runs a single job, for callgrind to count its instructions.

pub mod budget;
pub mod cpu;
pub mod growth;
pub mod harness;
pub mod job;
pub mod jobs;
pub mod load;
pub mod report;
pub mod service;
pub mod sink;
pub mod stopwatch;
pub mod table;
mod two_threads;

pub use job::Job;
