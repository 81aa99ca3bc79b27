use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::output::{Class, DropReason, Output};

/// The verbose lines of one request, kept until it is known whether anybody will want them.
///
/// Bounded in bytes: when it is full the oldest lines go, since those just before a failure tell
/// the most. Dropping it without [`settle`](Self::settle) means the request ended well.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::log::FlightRecorder;
/// use obs_core::output::Output;
///
/// let (output, capture) = Output::captured();
/// let recorder = FlightRecorder::new(output.clone(), 16 * 1024);
/// recorder.record(b"{\"level\":\"DEBUG\",\"message\":\"cache miss\"}\n");
/// assert!(capture.lines().is_empty());
///
/// // The request failed: now they are wanted.
/// recorder.settle(true);
/// output.flush(Duration::from_secs(1));
/// assert_eq!(capture.lines().len(), 1);
/// ```
#[derive(Debug)]
pub struct FlightRecorder {
    output: Output,
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Where the lines end that are still kept; the first starts at `head`.
    ends: VecDeque<usize>,
    head: usize,
    evicted: u64,
    kept: Option<bool>,
}

impl FlightRecorder {
    /// A recorder that keeps at most `max_bytes` of lines for `output`. Allocates with its first
    /// line.
    #[must_use]
    pub fn new(output: Output, max_bytes: usize) -> Self {
        Self { output, max_bytes, state: Mutex::default() }
    }

    /// Keeps a line; after [`settle`](Self::settle) it meets the same fate as those before it.
    pub fn record(&self, line: &[u8]) {
        let mut state = self.lock();
        match state.kept {
            Some(true) => drop(self.output.write(Class::Debug, line)),
            Some(false) => self.output.sampled_out(1),
            None => state.push(line, self.max_bytes),
        }
    }

    /// Writes the lines if the request ended so that they are wanted, else lets them go. Further
    /// calls do nothing.
    pub fn settle(&self, keep: bool) {
        let mut state = self.lock();
        if state.kept.is_some() {
            return;
        }
        state.kept = Some(keep);
        if keep {
            let mut start = state.head;
            for &end in &state.ends {
                self.output.write(Class::Debug, &state.bytes[start..end]);
                start = end;
            }
            self.count(state.evicted, |output, lines| {
                output.dropped(Class::Debug, DropReason::RecorderFull, lines);
            });
        } else {
            self.count(state.evicted + state.ends.len() as u64, Output::sampled_out);
        }
        let State { bytes, ends, .. } = &mut *state;
        (*bytes, *ends) = Default::default();
    }

    fn count(&self, lines: u64, book: impl FnOnce(&Output, u64)) {
        if lines > 0 {
            book(&self.output, lines);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FlightRecorder {
    fn drop(&mut self) {
        self.settle(false);
    }
}

impl State {
    fn push(&mut self, line: &[u8], max_bytes: usize) {
        if line.len() > max_bytes {
            self.evicted += 1;
            return;
        }
        while self.bytes.len() - self.head + line.len() > max_bytes {
            let Some(end) = self.ends.pop_front() else { break };
            self.head = end;
            self.evicted += 1;
        }
        // The room of what was evicted is won back in steps, not for each line.
        if self.head > max_bytes {
            self.bytes.drain(..self.head);
            self.ends.iter_mut().for_each(|end| *end -= self.head);
            self.head = 0;
        }
        self.bytes.extend_from_slice(line);
        self.ends.push_back(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn lines_of_a_request_that_went_well_are_sampled_out() {
        let (output, captured) = Output::captured();
        let recorder = FlightRecorder::new(output.clone(), 1_000);
        recorder.record(b"one\n");
        recorder.settle(false);
        recorder.record(b"after its end\n");
        recorder.settle(true);
        drop(recorder);
        FlightRecorder::new(output.clone(), 1_000).record(b"never settled\n");
        assert!(output.shutdown(LONG));
        assert_eq!(captured.text(), "");
        assert_eq!(output.ledger().sampled_out, 3);
        assert!(output.ledger().is_conserved());
    }

    proptest! {
        #[test]
        fn the_newest_lines_that_fit_are_kept_and_the_others_counted(
            lines in prop::collection::vec(1_usize..30, 0..60),
            max_bytes in 10_usize..100,
        ) {
            let (output, captured) = Output::captured();
            let recorder = FlightRecorder::new(output.clone(), max_bytes);
            let lines: Vec<String> = lines
                .into_iter()
                .enumerate()
                .map(|(number, length)| format!("{number:03}{}\n", "x".repeat(length)))
                .collect();
            for line in &lines {
                recorder.record(line.as_bytes());
                let state = recorder.lock();
                prop_assert!(state.bytes.len() <= 2 * max_bytes);
            }
            recorder.settle(true);
            prop_assert!(output.shutdown(LONG));
            let fitting = lines.iter().filter(|line| line.len() <= max_bytes);
            let mut expected: Vec<&String> = Vec::new();
            for line in fitting.rev() {
                let bytes: usize = expected.iter().map(|line| line.len()).sum();
                if bytes + line.len() > max_bytes {
                    break;
                }
                expected.insert(0, line);
            }
            let expected: String = expected.into_iter().map(String::as_str).collect();
            let ledger = output.ledger();
            prop_assert_eq!(captured.text(), expected);
            prop_assert_eq!(ledger.created, lines.len() as u64);
            prop_assert_eq!(ledger.dropped_for(DropReason::RecorderFull), ledger.dropped());
            prop_assert!(ledger.is_conserved());
        }
    }
}
