use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use obs_core::config::ConfigError;
use obs_core::random::Random;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::{Core, Method, OverStore, in_background, within};
use crate::engine::plans::{PlanOf, reason};
use crate::engine::{Engine, Reason, Receipt, Refused, Spent, Subject, Tell, Waiting};
use crate::lease::{
    Chore, Fallback, Gate, LeaseConfig, NameOf, PlacePlane, Plane, Step, Time, TokenPlane,
};
use crate::local::{Charged, Grain, Standing, TimeBase, Timer, Wait};
use crate::overrides::Limit;
use crate::quota::{Plan, Quota, SharedPlan};
use crate::store::{
    Grant, Hold, SharedQuota, Store, StoreError, StoreErrorKind, StoreFuture, StoreKey, Take,
};

/// The engine of a policy that leases: tokens, or places of a concurrency limit. Its calls run as
/// tasks on tokio.
pub(crate) fn leased(
    store: Arc<dyn Store>,
    config: LeaseConfig,
    quota: Quota,
    overrides: Vec<(u64, Limit)>,
    max_keys: usize,
    timer: Arc<Timer>,
) -> Result<Box<dyn Engine>, ConfigError> {
    let (clock, random) = (timer.clock.clone(), Random::system());
    if let Plan::Concurrency(_) = quota.plan()? {
        let plane = PlacePlane::new(config, max_keys, clock, random)?;
        let method = Leased::new(plane);
        return Ok(Box::new(OverStore::new(method, store, config, quota, overrides, timer)?));
    }
    let plan = SharedPlan::new(quota)?;
    let method = Leased::new(TokenPlane::new(plan, config, max_keys, clock, random)?);
    Ok(Box::new(OverStore::new(method, store, config, quota, overrides, timer)?))
}

/// Decides by leases, and keeps them.
struct Leased<P> {
    plane: P,
    /// Who waits for a key waits at the bell of its fingerprint.
    bells: Box<[Notify]>,
    housekeeping: AtomicBool,
}

const BELLS: usize = 64;

/// What a lease of tokens does otherwise than one of places.
trait Leasing: Plane<Plan: PlanOf> {
    fn look(store: &dyn Store, name: StoreKey, plan: &Self::Plan) -> StoreFuture<Standing>;

    fn give(
        store: Arc<dyn Store>,
        name: StoreKey,
        plan: Self::Plan,
        tokens: u64,
    ) -> StoreFuture<()>;

    /// The call that tells the store of a debit which no lease covers.
    fn tell(store: &dyn Store, name: StoreKey, plan: &Self::Plan, debit: u64)
    -> StoreFuture<Grant>;
}

impl Leasing for TokenPlane {
    fn look(store: &dyn Store, name: StoreKey, plan: &SharedPlan) -> StoreFuture<Standing> {
        super::strict::look(store, name, plan)
    }

    fn give(
        store: Arc<dyn Store>,
        name: StoreKey,
        plan: SharedPlan,
        tokens: u64,
    ) -> StoreFuture<()> {
        super::strict::give(store, name, plan, tokens)
    }

    fn tell(
        store: &dyn Store,
        name: StoreKey,
        plan: &SharedPlan,
        debit: u64,
    ) -> StoreFuture<Grant> {
        store.take(Take { debit, ..Take::new(name, SharedQuota { plan: *plan }, 0) })
    }
}

impl Leasing for PlacePlane {
    /// A holder that holds nothing and wants nothing is told what is free.
    fn look(store: &dyn Store, name: StoreKey, limit: &u64) -> StoreFuture<Standing> {
        let (holder, valid_for) = (Random::system().next_u64(), std::time::Duration::ZERO);
        let (turn, keep, want, least) = (1, 0, 0, 0);
        let hold = Hold { key: name, limit: *limit, holder, turn, keep, want, least, valid_for };
        let answer = store.hold(hold);
        Box::pin(async move {
            let remaining = answer.await?.remaining;
            Ok(Standing { remaining, more_in: 0 })
        })
    }

    /// A place is given back by the request that holds it, and by nobody else.
    fn give(_: Arc<dyn Store>, _: StoreKey, _: u64, _: u64) -> StoreFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn tell(_: &dyn Store, _: StoreKey, _: &u64, _: u64) -> StoreFuture<Grant> {
        Box::pin(std::future::ready(Err(StoreError::new(StoreErrorKind::Rejected))))
    }
}

impl<P: Leasing> Leased<P> {
    fn new(plane: P) -> Self {
        let bells = std::iter::repeat_with(Notify::new).take(BELLS).collect();
        Self { plane, bells, housekeeping: AtomicBool::new(false) }
    }

    fn bell(&self, fingerprint: u64) -> &Notify {
        &self.bells[(fingerprint % BELLS as u64) as usize]
    }
}

impl<P: Leasing> Core<Leased<P>> {
    /// Asks the plane once, and sets the call it wants on its way.
    #[inline]
    fn attempt(
        self: &Arc<Self>,
        subject: Subject,
        name: NameOf<'_>,
        plan: &P::Plan,
        cost: u64,
    ) -> Step {
        let tick = self.timer.now(TimeBase::Monotonic, Grain::Tick);
        let time = Time { tick, exact: &|| self.now() };
        let (step, ask) = self.method.plane.spend(subject.fingerprint, name, plan, cost, time);
        if let Some(ask) = ask {
            self.call(ask);
        }
        step
    }

    #[cold]
    fn call(self: &Arc<Self>, ask: P::Ask) {
        // Where there is no runtime the call is dropped, which tells the plane that it failed.
        in_background(Call { core: self.clone(), ask: Some(ask) }.run());
    }

    #[inline]
    fn spent(&self, step: Step, subject: Subject, plan: &P::Plan, cost: u64, tell: Tell) -> Spent {
        match step {
            Step::Await => Spent::Await,
            Step::Pass { stamp, place, fallback } => Spent::Admitted {
                receipt: Receipt { charged: Charged { amount: cost, stamp }, place },
                report: tell.admitted(|| self.report_of(subject, plan)),
                fallback,
            },
            Step::Refuse { wait, fallback } => {
                let closed = fallback == Some(Fallback::Closed);
                let reason = if closed { Reason::Closed } else { reason(wait) };
                let mut shown = tell.refused(|| self.report_of(subject, plan));
                shown.standing.remaining = shown.standing.remaining.min(cost.saturating_sub(1));
                if let Wait::Nanos(wait) = wait {
                    shown.standing.more_in = shown.standing.more_in.min(wait).max(1);
                }
                Spent::Refused(Refused { wait, reason, report: shown, fallback })
            }
        }
    }

    async fn do_chores(self: &Arc<Self>, all: bool) {
        let limit = self.config.store_timeout;
        for chore in self.method.plane.chores(self.now(), all) {
            match chore {
                // Once and never again: a return that was lost costs tokens, one made twice gives
                // some.
                Chore::GiveBack(back) => {
                    let _ = within(limit, self.store.give_back(back)).await;
                }
                Chore::Ask(ask) => {
                    Call { core: self.clone(), ask: Some(ask) }.make().await;
                }
            }
        }
    }
}

/// A call to the store under way. However it ends, the plane is told and those who wait are woken.
struct Call<P: Leasing> {
    core: Arc<Core<Leased<P>>>,
    ask: Option<P::Ask>,
}

impl<P: Leasing> Call<P> {
    async fn run(mut self) {
        self.make().await;
        keep_house(&self.core);
    }

    async fn make(&mut self) {
        let Some(ask) = &self.ask else { return };
        let answer = self.core.method.plane.send(ask, &*self.core.store);
        let result = within(self.core.config.store_timeout, answer).await;
        self.finish(&result);
    }

    fn finish(&mut self, result: &Result<Grant, StoreError>) {
        if let Some(ask) = self.ask.take() {
            let fingerprint = P::fingerprint(&ask);
            self.core.method.plane.complete(ask, result, self.core.now());
            self.core.method.bell(fingerprint).notify_waiters();
        }
    }
}

impl<P: Leasing> Drop for Call<P> {
    fn drop(&mut self) {
        self.finish(&Err(StoreError::new(StoreErrorKind::Unavailable)));
    }
}

/// Looks after leases as long as there are any and somebody owns them.
fn keep_house<P: Leasing>(core: &Arc<Core<Leased<P>>>) {
    let method = &core.method;
    if !method.plane.has_leases() || method.housekeeping.swap(true, Ordering::AcqRel) {
        return;
    }
    let (weak, pause) = (Arc::downgrade(core), method.plane.pause());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            let Some(core) = weak.upgrade() else { return };
            core.do_chores(false).await;
            if !core.method.plane.has_leases() {
                core.method.housekeeping.store(false, Ordering::Release);
                return;
            }
        }
    });
}

impl<P: Leasing> Method for Leased<P> {
    type Plan = P::Plan;

    const NAME: &'static str = "leased";

    fn gate(&self) -> &Gate {
        self.plane.gate()
    }

    #[inline]
    fn spend(
        core: &Arc<Core<Self>>,
        subject: Subject,
        name: NameOf<'_>,
        plan: &P::Plan,
        cost: u64,
        tell: Tell,
    ) -> Spent {
        let step = core.attempt(subject, name, plan, cost);
        core.spent(step, subject, plan, cost, tell)
    }

    fn wait(
        core: Arc<Core<Self>>,
        subject: Subject,
        name: StoreKey,
        plan: P::Plan,
        cost: u64,
    ) -> Waiting<Spent> {
        Box::pin(async move {
            let (since, until) = (core.now(), Instant::now() + core.config.store_timeout);
            loop {
                // The bell is listened to before the cell is asked, so no ring is missed.
                let mut bell = std::pin::pin!(core.method.bell(subject.fingerprint).notified());
                bell.as_mut().enable();
                let step = core.attempt(subject, &|| name, &plan, cost);
                if step != Step::Await {
                    return core.spent(step, subject, &plan, cost, Tell::Everything);
                }
                if timeout_at(until, bell).await.is_err() {
                    let plane = &core.method.plane;
                    let now = core.now();
                    let step = plane.give_up(subject.fingerprint, &plan, cost, since, now);
                    return core.spent(step, subject, &plan, cost, Tell::Everything);
                }
            }
        })
    }

    fn standing(&self, subject: Subject, plan: &P::Plan, now: u64) -> Option<Standing> {
        Some(self.plane.standing(subject.fingerprint, plan, now))
    }

    /// What no lease covers is told to the store, or with the next lease if that fails.
    fn debit(
        core: &Arc<Core<Self>>,
        subject: Subject,
        name: NameOf<'_>,
        plan: &P::Plan,
        cost: u64,
    ) {
        let rest = core.method.plane.debit(subject.fingerprint, cost, core.now());
        if rest == 0 {
            return;
        }
        let Some(permit) = core.method.gate().permit() else {
            return core.method.plane.owe(subject.fingerprint, rest, core.now());
        };
        let (core, plan, name) = (core.clone(), *plan, name());
        in_background(async move {
            let asked_at = core.now();
            let answer = P::tell(&*core.store, name, &plan, rest);
            let result = within(core.config.store_timeout, answer).await;
            let now = core.now();
            core.method.gate().settle(permit, &result, now.saturating_sub(asked_at));
            if result.is_err() {
                core.method.plane.owe(subject.fingerprint, rest, now);
            }
        });
    }

    fn refund(
        core: &Arc<Core<Self>>,
        subject: Subject,
        _: Option<StoreKey>,
        _: &P::Plan,
        receipt: Receipt,
    ) {
        let Receipt { charged: Charged { amount, stamp }, place } = receipt;
        core.method.plane.refund(subject.fingerprint, place, stamp, amount, core.now());
    }

    fn forget(&self, subject: Subject) {
        self.plane.forget(subject.fingerprint);
    }

    fn wake(&self, subject: Subject, now: u64) {
        self.plane.wake(subject.fingerprint, now);
    }

    fn replaced(&self) {
        self.plane.replaced();
    }

    fn drain(core: Arc<Core<Self>>) -> Waiting<()> {
        Box::pin(async move { core.do_chores(true).await })
    }

    fn look(store: &dyn Store, name: StoreKey, plan: &P::Plan) -> StoreFuture<Standing> {
        P::look(store, name, plan)
    }

    fn give(store: Arc<dyn Store>, name: StoreKey, plan: P::Plan, tokens: u64) -> StoreFuture<()> {
        P::give(store, name, plan, tokens)
    }

    fn table(&self, now: u64) -> (usize, u64, usize) {
        self.plane.table(now)
    }
}
