use super::LeaseConfig;
use super::bound::share;
use super::config::OnStoreFailure;
use crate::local::{BucketCell, Cell, Slot, Standing, Wait};
use crate::quota::BucketPlan;
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
    /// Without the store until this time.
    fallback_until: u64,
    /// When the call under way was made; 0 without one.
    asked_at: u64,
    last_grant_at: u64,
    tick_at: u64,
    silent: BucketCell,
    share: BucketCell,
    tick_count: u32,
    /// Requests per second, refused ones with them.
    demand: f32,
    last_granted: u32,
    /// What the store had left when it last answered.
    level: u32,
    untold: u32,
    grants_seen: u32,
    nodes: f32,
    pace: u32,
}

/// Tokens that may be spent until a time.
#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    tokens: u32,
    expires: u64,
}

impl Lease {
    const fn live(self, now: u64) -> u32 {
        if now < self.expires { self.tokens } else { 0 }
    }
}

/// What a cell says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Passes; the stamp is the expiry of the lease that paid for it, 0 for none.
    Pass { stamp: u64, fallback: Option<Fallback> },
    /// Does not pass before this many nanoseconds.
    Refuse { wait: Wait, fallback: Option<Fallback> },
    /// A lease is under way.
    Await,
}

/// A step of the ladder without the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    Share,
    Reuse,
    Open,
    Closed,
}

/// What a cell decides by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) config: &'a LeaseConfig,
    pub(crate) plan: &'a BucketPlan,
    pub(crate) silent: Option<&'a BucketPlan>,
    pub(crate) now: u64,
    /// How long the store takes to answer.
    pub(crate) round_trip: u64,
    /// A number in `0.0..1.0`.
    pub(crate) chance: f64,
}

/// A call that a cell wants to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) want: u64,
    pub(crate) least: u64,
    pub(crate) debit: u64,
}

const TICK: u64 = 250_000_000;
const MILLI: u64 = 1_000_000;

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "demand, pace and shares are estimates"
)]
impl LeaseCell {
    /// Decides about a request, and says what to ask the store for.
    pub(crate) fn spend(&mut self, scene: &Scene<'_>, cost: u64) -> (Step, Option<Wanted>) {
        let now = scene.now;
        self.count(now, cost);
        if cost > scene.plan.burst {
            return (Step::Refuse { wait: Wait::Never, fallback: None }, None);
        }
        self.shift(now);
        if u64::from(self.current.live(now)) >= cost {
            self.current.tokens -= cost as u32;
            let wanted = if self.is_low(scene) { self.ask(scene, 1) } else { None };
            return (Step::Pass { stamp: self.current.expires, fallback: None }, wanted);
        }
        if now < self.fallback_until {
            return (self.fall_back(scene, cost), None);
        }
        if now < self.hold_until {
            let wait = Wait::Nanos(self.hold_until - now);
            return (Step::Refuse { wait, fallback: None }, None);
        }
        if self.spend_silently(scene, cost) {
            return (Step::Pass { stamp: 0, fallback: None }, None);
        }
        (Step::Await, self.ask(scene, cost))
    }

    /// A key that has no lease may use this node's silent part.
    fn spend_silently(&mut self, scene: &Scene<'_>, cost: u64) -> bool {
        let Some(plan) = scene.silent else { return false };
        let recently = self.last_grant_at > 0
            && scene.now < self.last_grant_at.saturating_add(2 * self.age(scene));
        if recently || self.asked_at > 0 {
            return false;
        }
        if self.silent.is_fresh(scene.now) {
            self.untold = 0;
        }
        let passes = self.silent.spend(plan, scene.now, cost).is_ok();
        if passes {
            self.untold = self.untold.saturating_add(cost as u32);
        }
        passes
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
            Ok(_) => Step::Pass { stamp: 0, fallback: Some(step) },
            Err(_) if action == OnStoreFailure::Open => {
                Step::Pass { stamp: 0, fallback: Some(Fallback::Open) }
            }
            Err(wait) => Step::Refuse { wait, fallback: Some(step) },
        }
    }

    fn fallback_plan(&self, scene: &Scene<'_>) -> (BucketPlan, Fallback) {
        let nodes = if self.nodes >= 1.0 { self.nodes } else { scene.config.max_nodes as f32 };
        let even = 1.0 / f64::from(nodes);
        let (part, step) = match scene.config.on_store_failure {
            OnStoreFailure::ReuseLast { max_age }
                if self.last_grant_at > 0
                    && scene.now - self.last_grant_at <= max_age.as_nanos() as u64 =>
            {
                let rate = scene.plan.limit as f64 / scene.plan.period as f64;
                let lease = f64::from(self.last_granted) / self.pace(scene) as f64;
                ((lease / rate).clamp(even.min(1.0), 1.0), Fallback::Reuse)
            }
            _ => (even, Fallback::Share),
        };
        (share(scene.plan, part, 1).unwrap_or(*scene.plan), step)
    }

    /// The store has answered a call made at `asked_at`.
    pub(crate) fn granted(&mut self, scene: &Scene<'_>, asked_at: u64, want: u64, grant: &Grant) {
        let now = scene.now;
        self.asked_at = 0;
        self.fallback_until = 0;
        self.observe(scene, grant);
        self.level = u32::try_from(grant.remaining).unwrap_or(u32::MAX);
        if grant.tokens == 0 {
            let wait = u64::try_from(grant.wait.as_nanos()).unwrap_or(u64::MAX);
            self.hold_until = now.saturating_add(wait.max(MILLI));
            return;
        }
        let tokens = u32::try_from(grant.tokens).unwrap_or(u32::MAX);
        // The lease ages from before it was issued, which errs on the safe side.
        let lease = Lease { tokens, expires: asked_at.saturating_add(self.age(scene)) };
        self.shift(now);
        if self.current.live(now) == 0 {
            self.current = lease;
        } else {
            self.next = lease;
        }
        self.last_granted = tokens;
        self.last_grant_at = now;
        if grant.tokens < want {
            let pause = self.pace(scene) as f64 / 2.0 * (0.75 + scene.chance / 2.0);
            self.hold_until = now.saturating_add(pause as u64);
        }
    }

    /// The store has failed, or must not be called: this node is on its own for a while.
    pub(crate) fn failed(&mut self, scene: &Scene<'_>) {
        self.asked_at = 0;
        let pause = self.pace(scene) as f64 * (0.5 + scene.chance);
        self.fallback_until = scene.now.saturating_add(pause as u64);
    }

    /// Takes out what will not be used before it expires: more than twice what demand makes
    /// likely.
    pub(crate) fn surplus(&mut self, scene: &Scene<'_>, all: bool) -> u64 {
        self.shift(scene.now);
        let live = self.current.live(scene.now);
        let left = self.current.expires.saturating_sub(scene.now);
        let likely = 2.0 * f64::from(self.demand_at(scene.now)) * left as f64 / 1e9;
        let keep = if all { 0 } else { likely as u32 };
        if live <= keep {
            return 0;
        }
        self.current.tokens = keep;
        u64::from(live - keep)
    }

    /// A charge comes back into the lease that paid for it, if it lives.
    pub(crate) fn refund(&mut self, now: u64, stamp: u64, cost: u64) {
        if stamp == self.current.expires && now < stamp {
            self.current.tokens = self.current.tokens.saturating_add(cost as u32);
        }
    }

    /// Charges what was used without asking: out of the lease, and else told with the next call.
    pub(crate) fn debit(&mut self, cost: u64) {
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let paid = self.current.tokens.min(cost);
        self.current.tokens -= paid;
        self.untold = self.untold.saturating_add(cost - paid);
    }

    /// What the key may have left, never more than the store said.
    pub(crate) fn standing(&self, plan: &BucketPlan, now: u64) -> Standing {
        let live = u64::from(self.current.live(now)) + u64::from(self.next.live(now));
        if self.last_grant_at == 0 {
            let remaining = plan.burst.saturating_sub(self.untold.into());
            return Standing { remaining, more_in: u64::from(remaining < plan.burst) };
        }
        let remaining = (live + u64::from(self.level)).min(plan.burst);
        let more_in = match remaining {
            0 => self.hold_until.saturating_sub(now).max(1),
            _ => u64::from(remaining < plan.burst) * (plan.period / plan.limit).max(1),
        };
        Standing { remaining, more_in }
    }

    #[cfg(feature = "sim")]
    /// Whether a call is under way.
    pub(crate) const fn is_asking(&self) -> bool {
        self.asked_at > 0
    }

    /// How long its leases live now.
    pub(crate) fn age(&self, scene: &Scene<'_>) -> u64 {
        (2 * self.pace(scene)).min(scene.config.max_age.as_nanos() as u64)
    }

    fn ask(&mut self, scene: &Scene<'_>, cost: u64) -> Option<Wanted> {
        if self.asked_at > 0 || scene.now < self.hold_until || self.next.live(scene.now) > 0 {
            return None;
        }
        let pace = self.pace(scene);
        let demand = f64::from(self.demand_at(scene.now)) * pace as f64 / 1e9;
        let issued = self.current.expires.saturating_sub(self.age(scene));
        let fast = self.last_grant_at > 0 && scene.now.saturating_sub(issued) < pace / 2;
        let doubled = if fast { 2.0 * f64::from(self.last_granted) } else { 0.0 };
        let nodes = f64::from(self.nodes.max(1.0));
        let fraction = scene.config.max_fraction.min(2.0 / (nodes + 1.0));
        let most = (scene.plan.burst as f64 * fraction) as u64;
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

    /// Whether the live tokens last for less than three round trips.
    fn is_low(&self, scene: &Scene<'_>) -> bool {
        let live = self.current.live(scene.now);
        let soon = self.demand_at(scene.now) * (3 * scene.round_trip) as f32 / 1e9;
        live <= (soon as u32).min(self.last_granted / 2)
    }

    fn shift(&mut self, now: u64) {
        if self.current.live(now) == 0 && self.next.live(now) > 0 {
            self.current = std::mem::take(&mut self.next);
        }
    }

    fn count(&mut self, now: u64, cost: u64) {
        let elapsed = now.saturating_sub(self.tick_at);
        if elapsed >= TICK {
            let rate = self.tick_count as f32 * 1e9 / elapsed as f32;
            let fade = (0.5_f32).powf(elapsed as f32 / TICK as f32);
            self.demand = self.demand * fade + rate * (1.0 - fade);
            (self.tick_at, self.tick_count) = (now, 0);
        }
        self.tick_count = self.tick_count.saturating_add(cost as u32);
    }

    /// Requests per second, at least those of the running tick.
    fn demand_at(&self, now: u64) -> f32 {
        let elapsed = now.saturating_sub(self.tick_at);
        let faded = self.demand * (0.5_f32).powf(elapsed as f32 / TICK as f32);
        let running = self.tick_count as f32 * 1e9 / TICK.max(elapsed) as f32;
        faded.max(running)
    }

    /// Reads from the count of grants how many nodes lease this key, and keeps the writes of the
    /// fleet within their budget by longer leases.
    fn observe(&mut self, scene: &Scene<'_>, grant: &Grant) {
        let seen = std::mem::replace(&mut self.grants_seen, grant.grants as u32);
        let elapsed = scene.now.saturating_sub(self.last_grant_at);
        if self.last_grant_at == 0 || elapsed < MILLI || grant.tokens == 0 {
            return;
        }
        let rate = f64::from(self.grants_seen.wrapping_sub(seen)) * 1e9 / elapsed as f64;
        let pace = self.pace(scene);
        let nodes = (rate * pace as f64 / 1e9).clamp(1.0, f64::from(scene.config.max_nodes)) as f32;
        self.nodes = if self.nodes >= 1.0 { 0.75 * self.nodes + 0.25 * nodes } else { nodes };
        let (least, most) = (scene.config.target, scene.config.max_age / 2);
        let pace = if rate > scene.config.write_budget {
            pace * 3 / 2
        } else if rate < scene.config.write_budget / 2.0 {
            pace * 9 / 10
        } else {
            pace
        };
        self.pace = (pace.clamp(least.as_nanos() as u64, most.as_nanos() as u64) / 1_000) as u32;
    }

    /// How long a lease is meant to last; held in microseconds.
    fn pace(&self, scene: &Scene<'_>) -> u64 {
        match self.pace {
            0 => scene.config.target.as_nanos() as u64,
            micros => u64::from(micros) * 1_000,
        }
    }
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
