use std::cell::Cell;

/// A buffer that grew longer than this is not kept for the next line.
const MAX_KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `write` with this thread's empty buffer.
///
/// May be nested, as when formatting a field writes a line itself: the inner call gets a buffer
/// of its own.
///
/// ```
/// use obs_core::log::with_buffer;
///
/// let length = with_buffer(|buffer| {
///     buffer.extend_from_slice(b"a line\n");
///     buffer.len()
/// });
/// assert_eq!(length, 7);
/// ```
pub fn with_buffer<R>(write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    // The slot is gone while a thread ends; lines written then allocate.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let result = write(&mut buffer);
    if buffer.capacity() <= MAX_KEPT_BYTES {
        let _ = BUFFER.try_with(|slot| slot.set(buffer));
    }
    result
}
