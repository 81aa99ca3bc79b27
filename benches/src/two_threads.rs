//! A job that another thread does as well, on the same objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// How many runs the other thread makes before it looks whether to stop.
const BETWEEN_LOOKS: u64 = 64;

/// Runs what `start` sets up while another thread runs what `start` sets up there.
///
/// `start` shares with both what they are to contend for.
pub(crate) fn two_threads<R: FnMut(u64)>(
    start: impl Fn() -> R + Send + Clone + 'static,
) -> impl FnMut(u64) {
    let mut here = start.clone()();
    let other = Other::new(move |stop| {
        let mut there = start();
        while !stop.load(Ordering::Relaxed) {
            there(BETWEEN_LOOKS);
        }
    });
    move |times| {
        // Held for as long as the job is.
        let _ = &other;
        here(times);
    }
}

struct Other {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Other {
    fn new(run: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Self { stop, thread: Some(thread::spawn(move || run(&told))) }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
