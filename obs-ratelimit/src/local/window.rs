use super::{Cell, Charged, Slot, Standing, Wait};
use crate::quota::{WindowPlan, WindowSpan};

/// A count in the window `start..end`, and the count of the window just before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowCell {
    start: u64,
    end: u64,
    used: u64,
    previous: u64,
    fresh_at: u64,
}

/// A window as a store keeps it.
#[cfg(feature = "dynamodb")]
impl WindowCell {
    /// The cell of a window that began at `start`, as a store keeps it.
    pub(crate) fn kept(plan: &WindowPlan, start: u64, used: u64, previous: u64) -> Self {
        let (start, end) = plan.bounds(start);
        let mut cell = Self { start, end, used, previous, fresh_at: 0 };
        cell.fresh_at = cell.forgotten_at(plan);
        cell
    }

    /// The cell in the window around `now`.
    pub(crate) fn rolled(mut self, plan: &WindowPlan, now: u64) -> Self {
        self.roll(plan, now);
        self
    }

    pub(crate) const fn start(&self) -> u64 {
        self.start
    }

    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    pub(crate) const fn previous(&self) -> u64 {
        self.previous
    }
}

impl WindowCell {
    /// Moves on to the window around `now`.
    fn roll(&mut self, plan: &WindowPlan, now: u64) {
        if now < self.end && self.end != 0 {
            return self.shorten(plan, now);
        }
        let (start, end) = plan.bounds(now);
        let adjacent = plan.is_sliding() && start == self.end;
        self.previous = if adjacent { self.used } else { 0 };
        (self.start, self.end, self.used) = (start, end, 0);
        self.fresh_at = self.forgotten_at(plan);
    }

    /// A quota put in place at run time may have shorter windows; the count stays.
    fn shorten(&mut self, plan: &WindowPlan, now: u64) {
        if let WindowSpan::Fixed(period) | WindowSpan::Sliding(period) = plan.span
            && self.end - self.start > period
        {
            (self.start, self.end) = plan.bounds(now);
            self.previous = 0;
            self.fresh_at = self.forgotten_at(plan);
        }
    }

    fn forgotten_at(&self, plan: &WindowPlan) -> u64 {
        let length = self.end - self.start;
        if plan.is_sliding() { self.end.saturating_add(length) } else { self.end }
    }

    /// The part of the previous window's count that still weighs on `now`, rounded up.
    fn carried(&self, now: u64) -> u64 {
        if self.previous == 0 {
            return 0;
        }
        let (left, length) = (u128::from(self.end - now), u128::from(self.end - self.start));
        let carried = (u128::from(self.previous) * left).div_ceil(length);
        u64::try_from(carried).unwrap_or(u64::MAX)
    }

    /// When `previous` weighs no more than `room`, at the earliest `from`, in a window that ends
    /// at `end`.
    fn weighs_at(previous: u64, room: u64, end: u64, length: u64, from: u64) -> u64 {
        if previous == 0 {
            return from;
        }
        let left = u128::from(room) * u128::from(length) / u128::from(previous);
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        end.saturating_sub(left).max(from)
    }

    /// When `cost` could be charged if nothing else were.
    fn passes_at(&self, plan: &WindowPlan, now: u64, cost: u64) -> u64 {
        if !plan.is_sliding() {
            return self.end;
        }
        let length = self.end - self.start;
        match plan.limit.checked_sub(self.used.saturating_add(cost)) {
            Some(room) => Self::weighs_at(self.previous, room, self.end, length, now),
            None => {
                let end = self.end.saturating_add(length);
                Self::weighs_at(self.used, plan.limit - cost, end, length, self.end)
            }
        }
    }
}

impl Slot for WindowCell {
    fn is_fresh(&self, now: u64) -> bool {
        now >= self.fresh_at
    }
}

impl Cell for WindowCell {
    type Plan = WindowPlan;

    fn spend(&mut self, plan: &WindowPlan, now: u64, cost: u64) -> Result<Charged, Wait> {
        if cost > plan.limit {
            return Err(Wait::Never);
        }
        self.roll(plan, now);
        let used = self.used.saturating_add(cost);
        if self.carried(now).saturating_add(used) > plan.limit {
            return Err(Wait::Nanos(self.passes_at(plan, now, cost) - now));
        }
        self.used = used;
        Ok(Charged { amount: cost, stamp: self.end })
    }

    fn debit(&mut self, plan: &WindowPlan, now: u64, cost: u64) {
        self.roll(plan, now);
        let deepest = plan.limit.saturating_mul(2).max(self.used);
        self.used = self.used.saturating_add(cost).min(deepest);
    }

    fn refund(&mut self, _now: u64, charged: Charged) {
        if charged.stamp == self.end {
            self.used = self.used.saturating_sub(charged.amount);
        }
    }

    fn grant(&mut self, plan: &WindowPlan, now: u64, tokens: u64) {
        self.roll(plan, now);
        let beyond = tokens.saturating_sub(self.used);
        self.used = self.used.saturating_sub(tokens);
        self.previous = self.previous.saturating_sub(beyond);
    }

    fn standing(&self, plan: &WindowPlan, now: u64) -> Standing {
        let mut cell = *self;
        cell.roll(plan, now);
        let taken = cell.carried(now).saturating_add(cell.used);
        let remaining = plan.limit.saturating_sub(taken);
        let more_in = match taken {
            0 => 0,
            _ if plan.is_sliding() && remaining < plan.limit => {
                cell.passes_at(plan, now, remaining + 1) - now
            }
            _ => cell.end - now,
        };
        Standing { remaining, more_in }
    }
}
