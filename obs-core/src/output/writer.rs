//! The thread that carries lines to their destination.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::lane::{Carrier, Lane, Phase, State, Writer};

/// Flush intervals without a line after which the thread sleeps until it is woken. While it stays
/// awake no line has to wake it, which would cost the request a system call.
const IDLE_INTERVALS: u32 = 20;

/// How long to wait before a destination that would block is tried again.
const WOULD_BLOCK_PAUSE: Duration = Duration::from_millis(2);

const PANICKED: &str = "the destination panicked";

/// The life of the writer thread.
pub(super) fn run(lane: &Lane, mut carrier: Carrier) {
    let mut state = lane.lock();
    loop {
        state = collect(lane, state);
        state = drain(lane, state, &mut carrier);
        if state.is_abandoned() {
            return;
        }
        if matches!(state.phase, Phase::Closing) {
            state.phase = Phase::Closed(Some(carrier));
            lane.progress.notify_all();
            return;
        }
    }
}

/// Writes chunks until none waits, or the lane is abandoned.
pub(super) fn drain<'l>(
    lane: &'l Lane,
    mut state: MutexGuard<'l, State>,
    carrier: &mut Carrier,
) -> MutexGuard<'l, State> {
    while let Some(chunk) = state.next_chunk() {
        // Nothing of the destination runs under the lock: it may block, panic, or write a line.
        drop(state);
        let attempt = write_chunk(lane, carrier, &chunk.bytes);
        state = lane.lock();
        if state.is_abandoned() {
            break;
        }
        state.ledger.writes += attempt.writes;
        if let Some(error) = attempt.error {
            state.ledger.write_errors += 1;
            state.last_error = Some(error);
        }
        state.settle(chunk, attempt.taken);
        lane.progress.notify_all();
    }
    state
}

/// Waits until lines should be written, or the lane is closing.
fn collect<'l>(lane: &'l Lane, mut state: MutexGuard<'l, State>) -> MutexGuard<'l, State> {
    let high_water = lane.settings.high_water;
    let mut idle = 0;
    loop {
        let parked = idle >= IDLE_INTERVALS;
        state.writer = if parked { Writer::Parked } else { Writer::Collecting };
        state = if parked {
            lane.work
                .wait_while(state, |state| {
                    state.queue.is_empty() && matches!(state.phase, Phase::Open)
                })
                .unwrap_or_else(PoisonError::into_inner)
        } else {
            lane.work
                .wait_timeout_while(state, lane.settings.flush_interval, |state| {
                    !state.is_urgent(high_water)
                })
                .unwrap_or_else(PoisonError::into_inner)
                .0
        };
        if !state.queue.is_empty() && !parked || !matches!(state.phase, Phase::Open) {
            state.writer = Writer::Busy;
            return state;
        }
        idle = if parked { 0 } else { idle + 1 };
    }
}

struct Attempt {
    /// How many bytes of the chunk the destination took.
    taken: usize,
    writes: u64,
    error: Option<String>,
}

fn write_chunk(lane: &Lane, carrier: &mut Carrier, bytes: &[u8]) -> Attempt {
    let mut attempt = Attempt { taken: 0, writes: 0, error: None };
    // What a torn line left behind is ended first, so that the next line stays whole.
    if carrier.torn {
        let (taken, error) = write_fully(lane, carrier, b"\n", &mut attempt.writes);
        carrier.torn = taken == 0;
        if error.is_some() {
            attempt.error = error;
            return attempt;
        }
    }
    let (taken, error) = write_fully(lane, carrier, bytes, &mut attempt.writes);
    carrier.torn |= taken.checked_sub(1).is_some_and(|last| bytes[last] != b'\n');
    attempt.taken = taken;
    attempt.error = error;
    attempt
}

/// Writes until everything is taken, the destination fails, or the lane is abandoned.
fn write_fully(
    lane: &Lane,
    carrier: &mut Carrier,
    bytes: &[u8],
    writes: &mut u64,
) -> (usize, Option<String>) {
    let mut taken = 0;
    while taken < bytes.len() {
        *writes += 1;
        let rest = &bytes[taken..];
        let result = catch_unwind(AssertUnwindSafe(|| carrier.destination.write(rest)));
        match result {
            Ok(Ok(0)) => return (taken, Some("the destination takes no more bytes".to_owned())),
            Ok(Ok(count)) => taken += count.min(rest.len()),
            Ok(Err(error)) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => {
                    if !pause(lane) {
                        return (taken, Some(error.to_string()));
                    }
                }
                _ => return (taken, Some(error.to_string())),
            },
            Err(_) => {
                carrier.torn = true;
                return (taken, Some(PANICKED.to_owned()));
            }
        }
    }
    match catch_unwind(AssertUnwindSafe(|| carrier.destination.flush())) {
        Ok(Ok(())) => (taken, None),
        Ok(Err(error)) => {
            // How much has arrived is unknown; what may be lost does not count as written.
            carrier.torn = true;
            (0, Some(error.to_string()))
        }
        Err(_) => {
            carrier.torn = true;
            (0, Some(PANICKED.to_owned()))
        }
    }
}

/// Waits a moment; `false` when the lane was abandoned meanwhile.
fn pause(lane: &Lane) -> bool {
    let state = lane.lock();
    let (state, _) = lane
        .work
        .wait_timeout_while(state, WOULD_BLOCK_PAUSE, |state| !state.is_abandoned())
        .unwrap_or_else(PoisonError::into_inner);
    !state.is_abandoned()
}
