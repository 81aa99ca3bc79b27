//! Noticing a panic where it passes.

/// Runs `work`; if it panics, runs `on_panic` while the panic goes on outwards.
///
/// A runtime catches a task's panic before it drops the task, so that a drop alone cannot tell a
/// panic from a caller that went away.
#[inline]
pub(crate) fn on_panic<T>(work: impl FnOnce() -> T, on_panic: impl FnOnce()) -> T {
    struct Guard<F: FnOnce()>(Option<F>);

    impl<F: FnOnce()> Drop for Guard<F> {
        #[cold]
        fn drop(&mut self) {
            if let Some(on_panic) = self.0.take() {
                on_panic();
            }
        }
    }

    let guard = Guard(Some(on_panic));
    let result = work();
    std::mem::forget(guard);
    result
}
