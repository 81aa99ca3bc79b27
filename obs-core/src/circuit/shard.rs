//! Threads count in places of their own, so that calls do not contend for a cache line.

use std::cell::Cell;

/// How many places there are.
pub(super) const SHARDS: usize = if cfg!(obs_loom) { 1 } else { 4 };

const NONE: u8 = u8::MAX;

/// The place of this thread, below [`SHARDS`].
#[inline]
pub(super) fn of_this_thread() -> u8 {
    thread_local!(static SHARD: Cell<u8> = const { Cell::new(NONE) });
    if SHARDS == 1 {
        return 0;
    }
    match SHARD.get() {
        NONE => {
            SHARD.set(next());
            SHARD.get()
        }
        shard => shard,
    }
}

#[cold]
fn next() -> u8 {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    (NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS) as u8
}
