use std::fmt;

use serde_json::Value;

use super::StoreFuture;
use crate::analytics::{Fact, Report};

/// Where facts are kept and reports are made.
pub trait AnalyticsStore: Send + Sync + fmt::Debug + 'static {
    /// Adds those of `facts` that are not there yet, all in one transaction; says how many.
    fn ingest<'a>(&'a self, facts: &'a [Fact]) -> StoreFuture<'a, u64>;

    /// The rows of a report, each an object.
    fn report(&self, report: Report) -> StoreFuture<'_, Vec<Value>>;

    /// Works through `rows` made-up rows as a quarter's report does, and returns a checksum.
    fn heavy_query(&self, rows: u64) -> StoreFuture<'_, u64>;
}
