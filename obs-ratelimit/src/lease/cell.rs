use super::config::OnStoreFailure;
use super::demand::Demand;
use super::fleet::Fleet;
use super::scene::{Scene, Wanted};
use super::step::{Fallback, Step};
use crate::local::{BucketCell, Cell, Slot, Standing, TICK as LATE, Wait};
use crate::quota::{BucketPlan, SharedPlan};
use crate::store::Grant;

/// One key on one node.
///
/// ```text
///             ask                    tokens            used up
///   (fresh) -------> wait for lease --------> live ---------------> ask again
///                        |                      |
///                        | none                 | the store fails, leases run out
///                        v                      v
///                       dry <--- until --->  fallback
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LeaseCell {
    current: Lease,
    next: Lease,
    /// No asking before this time; without tokens, no passing either.
    hold_until: u64,
    /// When the store, asked for tokens, said it would have some.
    dry_until: u64,
    /// When the window ends that the store last spoke of; 0 for a bucket.
    window_ends: u64,
    /// Without the store until this time.
    fallback_until: u64,
    /// When the call under way was made; 0 without one.
    asked_at: u64,
    last_grant_at: u64,
    silent: BucketCell,
    share: BucketCell,
    /// Refused requests are demand, too.
    demand: Demand,
    fleet: Fleet,
    last_granted: u32,
    /// What the store had left when it last answered.
    level: u32,
    untold: u32,
    /// With so many live tokens or fewer it is time to ask for more.
    low_water: u32,
    /// The generation of quotas that the cell last decided by.
    generation: u32,
}

/// Tokens that may be spent until a time.
#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    tokens: u32,
    expires: u64,
    /// The window that they are of.
    window: u64,
}

impl Lease {
    const fn live(self, now: u64) -> u32 {
        if now < self.expires { self.tokens } else { 0 }
    }
}

const MILLI: u64 = 1_000_000;

/// For so long at most the word of the store that it has nothing is taken: somebody may have given
/// tokens back, and an operator may have granted some.
const RECHECK: u64 = 10_000 * MILLI;

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "demand, pace and shares are estimates"
)]
impl LeaseCell {
    /// Pays out of the running lease, if that is all there is to do; the stamp of the lease. `now`
    /// may be late by a tick.
    #[inline]
    pub(crate) fn pay(&mut self, now: u64, cost: u64) -> Option<u64> {
        let left = u64::from(self.current.tokens).checked_sub(cost)?;
        let is_more_to_do = now.saturating_add(LATE.as_nanos() as u64) >= self.current.expires
            || left <= u64::from(self.low_water)
            || self.demand.is_due(now);
        if is_more_to_do {
            return None;
        }
        // Both fit, for the cost is no more than the tokens.
        self.current.tokens = left as u32;
        self.demand.add(cost as u32);
        Some(self.current.expires)
    }

    /// Decides about a request, and says what to ask the store for.
    pub(crate) fn spend(&mut self, scene: &Scene<'_>, cost: u64) -> (Step, Option<Wanted>) {
        let now = scene.now;
        self.count(scene, cost);
        if u64::from(self.current.live(now)) >= cost {
            self.current.tokens -= cost as u32;
            let low = self.current.tokens <= self.low_water;
            let wanted = if low { self.ask(scene, 1) } else { None };
            return (Step::pass(self.current.expires), wanted);
        }
        self.spend_more(scene, cost)
    }

    /// As [`spend`](Self::spend), where the running lease is not enough.
    fn spend_more(&mut self, scene: &Scene<'_>, cost: u64) -> (Step, Option<Wanted>) {
        let now = scene.now;
        if cost > scene.plan.capacity() {
            return (Step::Refuse { wait: Wait::Never, fallback: None }, None);
        }
        if self.generation != scene.generation {
            // What was said of another quota does not bind this one.
            (self.hold_until, self.dry_until) = (0, 0);
            self.generation = scene.generation;
        }
        self.shift(now);
        if u64::from(self.current.live(now)) >= cost {
            self.current.tokens -= cost as u32;
            return (Step::pass(self.current.expires), None);
        }
        if now < self.fallback_until {
            return (self.fall_back(scene, cost), None);
        }
        if now < self.hold_until {
            let wait = Wait::Nanos(self.hold_until.max(self.dry_until) - now);
            return (Step::Refuse { wait, fallback: None }, None);
        }
        if self.spend_silently(scene, cost) {
            return (Step::pass(0), None);
        }
        (Step::Await, self.ask(scene, cost))
    }

    /// A key that has no lease may use this node's silent part.
    fn spend_silently(&mut self, scene: &Scene<'_>, cost: u64) -> bool {
        let recently = self.last_grant_at > 0
            && scene.now < self.last_grant_at.saturating_add(2 * self.age(scene));
        if recently || self.asked_at > 0 {
            return false;
        }
        let Some(plan) = scene.silent() else { return false };
        if self.silent.is_fresh(scene.now) {
            self.untold = 0;
        }
        let passes = self.silent.spend(&plan, scene.now, cost).is_ok();
        if passes {
            self.untold = self.untold.saturating_add(cost as u32);
        }
        passes
    }

    /// Decides about a request that has waited since then. Of a window nothing may be used beside
    /// what the store gave, as long as it gives.
    pub(crate) fn give_up(&mut self, scene: &Scene<'_>, cost: u64, since: u64) -> Step {
        if scene.plan.is_window() && self.last_grant_at >= since {
            let held = self.hold_until.saturating_sub(scene.now);
            let wait = Wait::Nanos(held.max(scene.round_trip).max(1));
            return Step::Refuse { wait, fallback: None };
        }
        self.fall_back(scene, cost)
    }

    /// Decides without the store.
    pub(crate) fn fall_back(&mut self, scene: &Scene<'_>, cost: u64) -> Step {
        let action = scene.config.on_store_failure;
        if action == OnStoreFailure::Closed {
            let fallback = Some(Fallback::Closed);
            return Step::Refuse { wait: Wait::Nanos(1_000 * MILLI), fallback };
        }
        let (plan, step) = self.fallback_plan(scene);
        match self.share.spend(&plan, scene.now, cost) {
            Ok(_) => Step::pass_by(step),
            Err(_) if action == OnStoreFailure::Open => Step::pass_by(Fallback::Open),
            Err(wait) => Step::Refuse { wait, fallback: Some(step) },
        }
    }

    fn fallback_plan(&self, scene: &Scene<'_>) -> (BucketPlan, Fallback) {
        let nodes = self.fleet.nodes().unwrap_or(scene.config.max_nodes as f32);
        let even = 1.0 / f64::from(nodes);
        let (part, step) = match scene.config.on_store_failure {
            OnStoreFailure::ReuseLast { max_age }
                if self.last_grant_at > 0
                    && scene.now - self.last_grant_at <= max_age.as_nanos() as u64 =>
            {
                let lease = f64::from(self.last_granted) / self.fleet.pace(scene.config) as f64;
                let whole = scene.plan.rate_per_nano();
                ((lease / whole).clamp(even.min(1.0), 1.0), Fallback::Reuse)
            }
            _ => (even, Fallback::Share),
        };
        (scene.plan.share_of_at_least_one(part), step)
    }

    /// The store has answered a call made at `asked_at`.
    pub(crate) fn granted(&mut self, scene: &Scene<'_>, asked_at: u64, want: u64, grant: &Grant) {
        let now = scene.now;
        self.asked_at = 0;
        self.fallback_until = 0;
        let since = (self.last_grant_at > 0).then(|| now.saturating_sub(self.last_grant_at));
        self.fleet.observe(scene.config, since, grant);
        self.level = u32::try_from(grant.remaining).unwrap_or(u32::MAX);
        if scene.plan.is_window() {
            self.window_ends = asked_at.saturating_add(nanos(grant.valid_for));
        }
        if grant.tokens == 0 {
            let wait = nanos(grant.wait).max(MILLI);
            self.dry_until = now.saturating_add(wait);
            self.hold_until = now.saturating_add(wait.min(RECHECK));
            return;
        }
        let tokens = u32::try_from(grant.tokens).unwrap_or(u32::MAX);
        // The lease ages from before it was issued, which errs on the safe side; and a window's
        // tokens die with it.
        let age = self.age(scene).min(nanos(grant.valid_for));
        let lease = Lease { tokens, expires: asked_at.saturating_add(age), window: grant.window };
        self.shift(now);
        if self.current.live(now) == 0 {
            self.current = lease;
        } else {
            self.next = lease;
        }
        self.last_granted = tokens;
        self.last_grant_at = now;
        self.set_low_water(scene);
        if grant.tokens < want {
            let pause =
                self.fleet.pace(scene.config) as f64 / 2.0 * (0.75 + scene.random.next_f64() / 2.0);
            self.hold_until = now.saturating_add(pause as u64);
        }
    }

    /// The store has failed, or must not be called: this node is on its own for a while.
    pub(crate) fn failed(&mut self, scene: &Scene<'_>) {
        self.asked_at = 0;
        let pause = self.fleet.pace(scene.config) as f64 * (0.5 + scene.random.next_f64());
        self.fallback_until = scene.now.saturating_add(pause as u64);
    }

    /// Takes out what will not be used before it expires, more than twice what demand makes
    /// likely: so many tokens, of that window.
    pub(crate) fn surplus(&mut self, scene: &Scene<'_>, all: bool) -> (u64, u64) {
        self.shift(scene.now);
        let live = self.current.live(scene.now);
        let left = self.current.expires.saturating_sub(scene.now);
        let likely = 2.0 * f64::from(self.demand.at(scene.now)) * left as f64 / 1e9;
        let keep = if all { 0 } else { likely as u32 };
        if live <= keep {
            return (0, 0);
        }
        self.current.tokens = keep;
        (u64::from(live - keep), self.current.window)
    }

    /// A charge comes back into the lease that paid for it, if it lives.
    pub(crate) fn refund(&mut self, now: u64, stamp: u64, cost: u64) {
        if stamp == self.current.expires && now < stamp {
            self.current.tokens = self.current.tokens.saturating_add(cost as u32);
        }
    }

    /// Charges what was used without asking out of the lease; returns what that does not cover.
    pub(crate) fn debit(&mut self, now: u64, cost: u64) -> u64 {
        self.shift(now);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let paid = self.current.live(now).min(cost);
        self.current.tokens -= paid;
        u64::from(cost - paid)
    }

    /// Is told to the store with the next lease.
    pub(crate) fn owe(&mut self, cost: u64) {
        self.untold = self.untold.saturating_add(u32::try_from(cost).unwrap_or(u32::MAX));
    }

    /// The store may have tokens again.
    pub(crate) fn wake(&mut self) {
        (self.hold_until, self.dry_until) = (0, 0);
    }

    /// What the key may have left, never more than the store said.
    pub(crate) fn standing(&self, plan: &SharedPlan, now: u64) -> Standing {
        let live = u64::from(self.current.live(now)) + u64::from(self.next.live(now));
        let capacity = plan.capacity();
        if self.last_grant_at == 0 && self.dry_until == 0 {
            let remaining = capacity.saturating_sub(self.untold.into());
            return Standing { remaining, more_in: u64::from(remaining < capacity) };
        }
        let level = if self.is_another_window(plan, now) { capacity } else { self.level.into() };
        let remaining = (live + level).min(capacity);
        let more_in = match remaining {
            0 => self.hold_until.max(self.dry_until).saturating_sub(now).max(1),
            _ if remaining == capacity => 0,
            _ if plan.is_window() => self.window_ends.saturating_sub(now).max(1),
            _ => plan.step(),
        };
        Standing { remaining, more_in }
    }

    /// Whether the window that the store spoke of is over.
    fn is_another_window(&self, plan: &SharedPlan, now: u64) -> bool {
        plan.is_window() && now >= self.window_ends
    }

    #[cfg(feature = "sim")]
    /// Whether a call is under way.
    pub(crate) const fn is_asking(&self) -> bool {
        self.asked_at > 0
    }

    /// How long its leases live now.
    pub(crate) fn age(&self, scene: &Scene<'_>) -> u64 {
        (2 * self.fleet.pace(scene.config)).min(scene.config.max_age.as_nanos() as u64)
    }

    fn ask(&mut self, scene: &Scene<'_>, cost: u64) -> Option<Wanted> {
        if self.asked_at > 0 || scene.now < self.hold_until || self.next.live(scene.now) > 0 {
            return None;
        }
        let pace = self.fleet.pace(scene.config);
        let demand = f64::from(self.demand.at(scene.now)) * pace as f64 / 1e9;
        let issued = self.current.expires.saturating_sub(self.age(scene));
        let fast = self.last_grant_at > 0 && scene.now.saturating_sub(issued) < pace / 2;
        let doubled = if fast { 2.0 * f64::from(self.last_granted) } else { 0.0 };
        let nodes = f64::from(self.fleet.nodes().unwrap_or(1.0));
        let fraction = scene.config.max_fraction.min(2.0 / (nodes + 1.0));
        let mut most = (scene.plan.capacity() as f64 * fraction) as u64;
        if scene.plan.is_window() && !self.is_another_window(scene.plan, scene.now) {
            // What a dead node had leased of a window is lost: the less is left, the less is risked.
            most = most.min((f64::from(self.level) / (2.0 * nodes)) as u64);
        }
        // A lease lives for two paces: half as much again as one needs is used in time, and asked
        // for less often.
        let want = ((demand * 1.5).max(doubled) as u64).clamp(1, most.max(1)).max(cost);
        self.asked_at = scene.now;
        let debit = u64::from(std::mem::take(&mut self.untold));
        Some(Wanted { want: want.min(u32::MAX.into()), least: cost, debit })
    }

    /// The call that was wanted cannot be made after all.
    pub(crate) fn not_asked(&mut self, wanted: Wanted) {
        self.asked_at = 0;
        self.untold = self.untold.saturating_add(wanted.debit as u32);
    }

    /// The live tokens that last for three round trips.
    fn set_low_water(&mut self, scene: &Scene<'_>) {
        let soon = self.demand.at(scene.now) * (3 * scene.round_trip) as f32 / 1e9;
        self.low_water = (soon as u32).min(self.last_granted / 2);
    }

    fn shift(&mut self, now: u64) {
        if self.current.live(now) == 0 && self.next.live(now) > 0 {
            self.current = std::mem::take(&mut self.next);
        }
    }

    #[inline]
    fn count(&mut self, scene: &Scene<'_>, cost: u64) {
        if self.demand.is_due(scene.now) {
            self.demand.tick(scene.now);
            self.set_low_water(scene);
        }
        self.demand.add(cost as u32);
    }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Slot for LeaseCell {
    fn is_fresh(&self, now: u64) -> bool {
        self.asked_at == 0
            && now >= self.hold_until
            && now >= self.fallback_until
            && now >= self.current.expires
            && now >= self.next.expires
            && self.silent.is_fresh(now)
            && self.share.is_fresh(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_takes_the_memory_that_the_docs_name() {
        let bytes = size_of::<LeaseCell>();
        assert!((168..=184).contains(&bytes), "{bytes}");
    }
}
