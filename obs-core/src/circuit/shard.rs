//! Threads count in places of their own, so that calls do not contend for a cache line.

/// How many places there are; each is looked through when a window is judged.
pub(super) const SHARDS: usize = if cfg!(obs_loom) { 1 } else { 4 };

/// The place of this thread, below [`SHARDS`].
#[inline]
pub(super) fn of_this_thread() -> u8 {
    (crate::shard::of_this_thread() % SHARDS) as u8
}
