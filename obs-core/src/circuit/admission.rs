//! Who is let in.

use std::time::Duration;

use super::State;
use super::machine::{Machine, NEVER};
use super::sync::Ordering;
use super::ticket::{Ticket, TicketKind};
use super::word::Word;
use crate::clock::{Clock, Instant};
use crate::deadline::Deadline;

/// Why a call is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) state: State,
    pub(super) retry_after: Option<Duration>,
}

impl Machine {
    /// Admits a call on behalf of a thread of `shard`. Until it [waits](Self::wait) it is not in
    /// flight: what is answered at once cannot hang.
    #[inline]
    pub(super) fn admit(&self, shard: u8, now: Instant, clock: &Clock) -> Result<Ticket, Refused> {
        let word = self.word();
        let running = clock.running(now);
        let looked = running.as_nanos() < self.hot.look_at.load(Ordering::Relaxed);
        if word.state() == State::Closed && looked {
            return Ok(ticket(word, TicketKind::Counted, shard, running));
        }
        self.admit_otherwise(shard, now, clock)
    }

    #[cold]
    fn admit_otherwise(&self, shard: u8, now: Instant, clock: &Clock) -> Result<Ticket, Refused> {
        self.look_for_hung_calls(now, clock);
        let ticket = |word, kind| ticket(word, kind, shard, clock.running(now));
        loop {
            let word = self.word();
            match word.state() {
                State::Closed => return Ok(ticket(word, TicketKind::Counted)),
                State::Open => {
                    let until = Instant::from_nanos(self.hot.open_until.load(Ordering::Relaxed));
                    if now < until {
                        return self.refuse(word, Some(until - now), ticket);
                    }
                    if let Some(probe) = self.begin_half_open(word, now, clock) {
                        return Ok(ticket(probe, TicketKind::Probe));
                    }
                }
                State::HalfOpen => match self.admit_probe(word, now, clock) {
                    Some(Ok(probe)) => return Ok(ticket(probe, TicketKind::Probe)),
                    Some(Err(())) => return self.refuse(word, None, ticket),
                    None => {}
                },
                State::ForcedOpen => {
                    if !self.override_expired(word, now, clock) {
                        let until = self.hot.override_until.load(Ordering::Relaxed);
                        let rest = (until != NEVER).then(|| Instant::from_nanos(until) - now);
                        return self.refuse(word, rest, ticket);
                    }
                }
                State::Disabled => {
                    if !self.override_expired(word, now, clock) {
                        return Ok(ticket(word, TicketKind::Uncounted));
                    }
                }
                State::MetricsOnly => {
                    if !self.override_expired(word, now, clock) {
                        return Ok(ticket(word, TicketKind::Counted));
                    }
                }
            }
        }
    }

    fn refuse(
        &self,
        word: Word,
        retry_after: Option<Duration>,
        ticket: impl FnOnce(Word, TicketKind) -> Ticket,
    ) -> Result<Ticket, Refused> {
        self.counts.not_permitted.fetch_add(1, Ordering::Relaxed);
        self.series.not_permitted.add(1);
        if self.hot.knobs.is_shadow() {
            return Ok(ticket(word, TicketKind::Shadow));
        }
        Err(Refused { state: word.state(), retry_after })
    }

    /// The call has to wait for its answer, until `deadline` at the latest.
    pub(super) fn wait(&self, ticket: &mut Ticket, deadline: Option<Deadline>, clock: &Clock) {
        ticket.waits = true;
        if let Some(deadline) = deadline {
            ticket.deadline = Deadline::at(clock.running(deadline.instant()));
        }
        // Nobody asks after a call whose state has passed already.
        if let (Some(in_flight), TicketKind::Counted) = (&self.in_flight, ticket.kind)
            && self.word().epoch() == ticket.epoch()
        {
            in_flight.enter(ticket.started, ticket.shard);
            ticket.in_flight = true;
        }
    }
}

#[inline]
const fn ticket(word: Word, kind: TicketKind, shard: u8, started: Instant) -> Ticket {
    let deadline = Deadline::at(Instant::from_nanos(NEVER));
    Ticket { started, deadline, word, kind, shard, waits: false, in_flight: false }
}
