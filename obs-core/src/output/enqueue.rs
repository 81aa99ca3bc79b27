//! How a line gets into the queue of a destination, and when it wakes the writer.

use std::sync::{Arc, MutexGuard};

use super::lane::{Carrier, Lane, Phase, State, Writer};
use super::writer;
use super::{Class, DropReason};

impl Lane {
    /// Takes a line into the queue, or says why it is lost.
    pub(super) fn write(self: &Arc<Self>, class: Class, line: &[u8]) -> Option<DropReason> {
        let mut state = self.lock();
        state.ledger.created += 1;
        if state.is_abandoned() {
            state.ledger.add_dropped(class, DropReason::Closed, 1);
            return Some(DropReason::Closed);
        }
        let bytes = state.ledger.queued_bytes + line.len();
        if bytes > class.share_of(self.settings.capacity) {
            let too_long = line.len() > class.share_of(self.settings.capacity);
            let reason = if too_long { DropReason::TooLong } else { DropReason::QueueFull };
            state.ledger.add_dropped(class, reason, 1);
            return Some(reason);
        }
        let before = state.ledger.queued_bytes;
        state.enqueue(class, line);
        if let Phase::Closed(carrier) = &mut state.phase {
            let carrier = carrier.take();
            self.write_through(state, carrier);
            return None;
        }
        let wake = match state.writer {
            Writer::NotStarted(_) => {
                self.start_writer(&mut state);
                false
            }
            Writer::Parked => true,
            // Exactly the line that crosses the mark wakes the writer, not each one after it.
            Writer::Collecting => {
                let mark = self.settings.high_water;
                before < mark && state.ledger.queued_bytes >= mark
            }
            Writer::Busy => false,
        };
        if wake {
            state.writer = Writer::Busy;
            drop(state);
            self.work.notify_one();
        }
        None
    }

    /// Carries out what waits, unless another thread does and will find it.
    fn write_through(&self, state: MutexGuard<'_, State>, carrier: Option<Carrier>) {
        if let Some(mut carrier) = carrier {
            let mut state = writer::drain(self, state, &mut carrier);
            state.phase = Phase::Closed(Some(carrier));
        }
    }

    fn start_writer(self: &Arc<Self>, state: &mut State) {
        let Writer::NotStarted(carrier) = std::mem::replace(&mut state.writer, Writer::Busy) else {
            return;
        };
        let lane = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("obs-output".to_owned())
            .spawn(move || writer::run(&lane, carrier));
        if let Err(error) = spawned {
            state.last_error = Some(error.to_string());
            state.ledger.write_errors += 1;
            state.abandon();
        }
    }
}
