//! How much a key is asked for.

/// Requests are counted for so long before the estimate follows them.
const TICK: u64 = 250_000_000;

/// Requests per second, as an estimate that forgets half of what was in each tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demand {
    tick_at: u64,
    tick_count: u32,
    rate: f32,
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
impl Demand {
    /// Whether the running tick is over.
    #[inline]
    pub(super) const fn is_due(&self, now: u64) -> bool {
        self.elapsed(now) >= TICK
    }

    #[inline]
    pub(super) const fn add(&mut self, cost: u32) {
        self.tick_count = self.tick_count.saturating_add(cost);
    }

    /// Ends the running tick and begins the next.
    #[cold]
    pub(super) fn tick(&mut self, now: u64) {
        let elapsed = self.elapsed(now) as f32;
        let rate = self.tick_count as f32 * 1e9 / elapsed;
        let fade = fade(elapsed);
        self.rate = self.rate * fade + rate * (1.0 - fade);
        (self.tick_at, self.tick_count) = (now, 0);
    }

    /// Requests per second, at least those of the running tick.
    pub(super) fn at(&self, now: u64) -> f32 {
        let elapsed = self.elapsed(now);
        let running = self.tick_count as f32 * 1e9 / TICK.max(elapsed) as f32;
        (self.rate * fade(elapsed as f32)).max(running)
    }

    const fn elapsed(&self, now: u64) -> u64 {
        now.saturating_sub(self.tick_at)
    }
}

/// What is left of an estimate after so many nanoseconds.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn fade(elapsed: f32) -> f32 {
    (0.5_f32).powf(elapsed / TICK as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 10 * TICK;

    fn steady(rate_per_tick: u32, ticks: u64) -> (Demand, u64) {
        let mut demand = Demand::default();
        demand.tick(START);
        let mut now = START;
        for _ in 0..ticks {
            demand.add(rate_per_tick);
            now += TICK;
            assert!(!demand.is_due(now - 1) && demand.is_due(now));
            demand.tick(now);
        }
        (demand, now)
    }

    #[test]
    fn a_steady_rate_is_learned() {
        let (demand, now) = steady(100, 20);
        assert!((demand.at(now) - 400.0).abs() < 1.0, "{demand:?}");
    }

    #[test]
    fn a_burst_counts_at_once_and_silence_halves_it_with_each_tick() {
        let (mut demand, now) = steady(1, 20);
        demand.add(1_000);
        assert!((demand.at(now) - 4_000.0).abs() < 1.0, "{demand:?}");
        demand.tick(now + TICK);
        let (then, later) = (demand.at(now + TICK), demand.at(now + 3 * TICK));
        assert!((later - then / 4.0).abs() < 1.0, "{then} {later}");
    }
}
