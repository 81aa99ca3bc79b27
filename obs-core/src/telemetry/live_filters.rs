//! What the telemetries of this process want together.
//!
//! `tracing` asks once for each call site whether anybody is interested, long before it is known
//! to which service an event will belong.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tracing_core::{Level, LevelFilter, Metadata};

use super::filter::LineFilter;

static LIVE: RwLock<Vec<Arc<LineFilter>>> = RwLock::new(Vec::new());

static CHANGING: Mutex<()> = Mutex::new(());

pub(super) fn add(filter: &Arc<LineFilter>) {
    one_at_a_time(|| {
        LIVE.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(filter));
        tracing_core::callsite::rebuild_interest_cache();
    });
}

/// Changes who listens, or what is wanted, while nobody else does: of two that ask every call site at
/// once, the one that asked first may be the last to write down the answers.
pub(crate) fn one_at_a_time<R>(change: impl FnOnce() -> R) -> R {
    let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    change()
}

/// Call sites keep their interest until the next [`add`]: it may be too wide, never too narrow.
pub(super) fn remove(filter: &Arc<LineFilter>) {
    let mut live = LIVE.write().unwrap_or_else(PoisonError::into_inner);
    live.retain(|other| !Arc::ptr_eq(other, filter));
}

/// Whether any telemetry may want what `metadata` describes.
pub(crate) fn want(metadata: &Metadata<'_>) -> bool {
    // Spans belong to traces, whose verdict is the sampler's and not that of the lines' filter.
    let is_traced = metadata.is_span() && *metadata.level() <= Level::INFO;
    let live = LIVE.read().unwrap_or_else(PoisonError::into_inner);
    is_traced || live.iter().any(|filter| filter.may_enable(*metadata.level(), metadata.target()))
}

/// The most verbose level that any telemetry may want.
pub(crate) fn max_level() -> LevelFilter {
    let live = LIVE.read().unwrap_or_else(PoisonError::into_inner);
    let lines = live.iter().map(|filter| filter.max_level()).max();
    lines.unwrap_or(LevelFilter::OFF).max(LevelFilter::INFO)
}
