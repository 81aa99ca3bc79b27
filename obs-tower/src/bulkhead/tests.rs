use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use obs_core::control::{Action, Registry};
use obs_core::deadline::Deadline;
use obs_core::outcome::{Outcome, Rejection};
use obs_core::random::Random;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::priority::Priority;
use crate::reject::Rejected;
use crate::virtual_time;

const SECOND: Duration = Duration::from_secs(1);

fn bulkhead(config: BulkheadConfig) -> Bulkhead {
    Bulkhead::builder("test").config(config).clock(virtual_time::clock()).build().unwrap()
}

fn limit(calls: u32) -> BulkheadConfig {
    BulkheadConfig::new().max_concurrent_calls(calls)
}

fn queue(calls: u32) -> BulkheadConfig {
    limit(calls).max_wait_duration(60 * SECOND).max_queue_length(10_000)
}

fn free() -> Place<'static> {
    Place::default()
}

fn of(share: &str) -> Place<'_> {
    Place::default().share(Share::of(share))
}

/// Polls once.
fn waits(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Lets spawned tasks run until they wait.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn res_b1_never_more_than_the_limit_under_a_storm_of_cancellations() {
    let bulkhead = bulkhead(queue(5).max_wait_duration(Duration::from_millis(40)));
    let (inside, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let random = Random::seeded(11);
    let mut calls = JoinSet::new();
    for call in 0..2_000_u64 {
        let (bulkhead, inside, most) = (bulkhead.clone(), Arc::clone(&inside), Arc::clone(&most));
        let (work, patience, start) =
            (random.next_u64() % 20, random.next_u64() % 60, random.next_u64() % 500);
        calls.spawn(async move {
            sleep(Duration::from_millis(start)).await;
            let tenant = format!("tenant-{}", call % 7);
            let work = async {
                let place = if call % 2 == 0 { of(&tenant) } else { free() };
                let Ok(_permit) = bulkhead.acquire(place).await else { return };
                most.fetch_max(inside.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                let _leave = Leave(inside);
                sleep(Duration::from_millis(work)).await;
            };
            let _ = tokio::time::timeout(Duration::from_millis(patience), work).await;
        });
    }
    while calls.join_next().await.is_some() {}
    assert_eq!(most.load(Ordering::Relaxed), 5);
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting(), bulkhead.shares()), (0, 0, 0));
}

struct Leave(Arc<AtomicU32>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn res_b2_room_granted_to_a_waiter_that_is_dropped_goes_to_the_next() {
    let bulkhead = bulkhead(queue(1));
    let held = bulkhead.try_acquire(free()).unwrap();
    let mut first = Box::pin(bulkhead.acquire(free()));
    let second = tokio::spawn({
        let bulkhead = bulkhead.clone();
        async move { bulkhead.acquire(free()).await.is_ok() }
    });
    assert!(waits(first.as_mut()));
    settle().await;
    assert_eq!(bulkhead.waiting(), 2);
    drop(held);
    drop(first);
    assert!(second.await.unwrap());
    assert_eq!(bulkhead.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn res_b3_a_tenant_at_its_limit_keeps_nobody_else_waiting() {
    let bulkhead = bulkhead(queue(10).max_concurrent_calls_per_share(2));
    let mut waiters = JoinSet::new();
    for _ in 0..1_000 {
        let bulkhead = bulkhead.clone();
        waiters.spawn(async move {
            let _permit = bulkhead.acquire(of("a")).await;
            pending::<()>().await;
        });
    }
    settle().await;
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (2, 998));
    for _ in 0..1_000 {
        assert!(bulkhead.try_acquire(of("b")).is_ok(), "no wait");
    }
}

#[tokio::test(start_paused = true)]
async fn res_b3_nor_a_call_without_a_tenant() {
    let bulkhead = bulkhead(queue(10).max_concurrent_calls_per_share(1));
    let _held = bulkhead.try_acquire(of("a")).unwrap();
    let mut waiter = Box::pin(bulkhead.acquire(of("a")));
    assert!(waits(waiter.as_mut()));
    assert!(bulkhead.try_acquire(free()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn res_b4_one_tenant_may_use_everything_until_another_comes() {
    let bulkhead = bulkhead(queue(10));
    let mut tasks = JoinSet::new();
    let done: Arc<[AtomicU32; 2]> = Arc::default();
    let spawn = |tasks: &mut JoinSet<()>, tenant: usize| {
        for _ in 0..40 {
            let (bulkhead, done) = (bulkhead.clone(), Arc::clone(&done));
            tasks.spawn(async move {
                loop {
                    let place = of(["a", "b"][tenant]);
                    let permit = bulkhead.acquire(place).await.unwrap();
                    sleep(Duration::from_millis(100)).await;
                    drop(permit);
                    done[tenant].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    };
    spawn(&mut tasks, 0);
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(done[0].load(Ordering::Relaxed), 100, "all ten places, ten times");
    spawn(&mut tasks, 1);
    sleep(Duration::from_millis(200)).await;
    let before = done[1].load(Ordering::Relaxed);
    sleep(SECOND).await;
    assert!(done[1].load(Ordering::Relaxed) - before >= 50, "its half within one service time");
}

#[tokio::test(start_paused = true)]
async fn res_b5_weights_share_a_saturated_bulkhead_in_proportion() {
    let bulkhead = bulkhead(queue(12));
    let done = Arc::new(std::sync::Mutex::new(HashMap::<&str, u32>::new()));
    let mut tasks = JoinSet::new();
    for (tenant, weight) in [("one", 1), ("two", 2)] {
        for task in 0..40 {
            let (bulkhead, done) = (bulkhead.clone(), Arc::clone(&done));
            tasks.spawn(async move {
                sleep(Duration::from_micros(task * 700)).await;
                loop {
                    let place = Place::default().share(Share::of(tenant).weight(weight));
                    let permit = bulkhead.acquire(place).await.unwrap();
                    sleep(Duration::from_millis(10 + task % 3)).await;
                    drop(permit);
                    *done.lock().unwrap().entry(tenant).or_default() += 1;
                }
            });
        }
    }
    sleep(20 * SECOND).await;
    let done = done.lock().unwrap().clone();
    let ratio = f64::from(done["two"]) / f64::from(done["one"]);
    assert!((1.9..=2.1).contains(&ratio), "{ratio}");
}

#[tokio::test(start_paused = true)]
async fn res_b6_the_queue_is_bounded_in_length_and_age() {
    let bulkhead = bulkhead(queue(1).max_queue_length(2).max_wait_duration(SECOND));
    let _held = bulkhead.try_acquire(free()).unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let bulkhead = bulkhead.clone();
        tasks.spawn(async move { bulkhead.acquire(free()).await });
    }
    settle().await;
    let started = Instant::now();
    assert!(bulkhead.acquire(free()).await.is_err());
    assert_eq!(started.elapsed(), Duration::ZERO, "at once");
    while let Some(result) = tasks.join_next().await {
        assert!(result.unwrap().is_err());
    }
    assert!((SECOND..SECOND * 2).contains(&started.elapsed()));
    assert_eq!((bulkhead.rejected(), bulkhead.waiting()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn res_b7_queued_work_without_time_left_is_dropped_before_it_runs() {
    let bulkhead = bulkhead(queue(1));
    let held = bulkhead.try_acquire(free()).unwrap();
    advance(4 * SECOND).await;
    drop(held);
    let held = bulkhead.try_acquire(free()).unwrap();
    let mut late = {
        let _scope = Deadline::after(bulkhead.clock().now(), 5 * SECOND).enter();
        let mut late = Box::pin(bulkhead.acquire(free()));
        assert!(waits(late.as_mut()));
        late
    };
    let mut patient = Box::pin(bulkhead.acquire(free()));
    assert!(waits(patient.as_mut()));
    advance(2 * SECOND).await;
    drop(held);
    let refused = Rejected::from(late.as_mut().await.unwrap_err());
    assert_eq!(refused.outcome(), Outcome::Rejected(Rejection::Deadline));
    assert!(patient.await.is_ok());
}

/// Queues up calls one by one behind a full bulkhead and tells in which order they got in.
async fn order_of(bulkhead: &Bulkhead, places: Vec<Place<'static>>, pause: Duration) -> Vec<usize> {
    let held = bulkhead.try_acquire(free()).unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let count = places.len();
    for (index, place) in places.into_iter().enumerate() {
        let (bulkhead, sender) = (bulkhead.clone(), sender.clone());
        tokio::spawn(async move {
            let permit = bulkhead.acquire(place).await;
            sender.send(index).unwrap();
            settle().await;
            drop(permit);
        });
        settle().await;
        advance(pause).await;
    }
    drop(held);
    let mut order = Vec::new();
    for _ in 0..count {
        order.push(receiver.recv().await.unwrap());
    }
    order
}

#[tokio::test(start_paused = true)]
async fn res_b8_equals_leave_in_turn_or_newest_first() {
    let places = || vec![free(); 4];
    let fifo = bulkhead(queue(1));
    assert_eq!(order_of(&fifo, places(), Duration::ZERO).await, [0, 1, 2, 3]);
    let lifo = bulkhead(queue(1).order(Order::Lifo));
    assert_eq!(order_of(&lifo, places(), Duration::ZERO).await, [3, 2, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn res_b8_no_class_starves_for_longer_than_half_the_longest_wait() {
    let places = || {
        let at = |priority| free().priority(priority);
        vec![at(Priority::Low), at(Priority::High), at(Priority::Critical)]
    };
    let quick = bulkhead(queue(1));
    assert_eq!(order_of(&quick, places(), Duration::ZERO).await, [2, 1, 0]);
    let slow = bulkhead(queue(1).max_wait_duration(20 * SECOND));
    assert_eq!(order_of(&slow, places(), 4 * SECOND).await, [0, 2, 1]);
}

#[test]
fn res_b9_a_header_can_only_lower_the_priority() {
    let mut request = Request::new(());
    assert_eq!(Priority::of(&request), Priority::Normal);
    request.extensions_mut().insert(Priority::High);
    request.headers_mut().insert("x-priority", "critical".parse().unwrap());
    let asked =
        |request: &Request<()>| Priority::of(request).lowered_by(request.headers(), "x-priority");
    assert_eq!(asked(&request), Priority::High);
    request.headers_mut().insert("x-priority", "low".parse().unwrap());
    assert_eq!(asked(&request), Priority::Low);
}

#[tokio::test(start_paused = true)]
async fn res_b10_a_limit_shrinks_at_once_and_the_count_stays_true() {
    let bulkhead = bulkhead(limit(4));
    let mut permits: Vec<_> = (0..4).map(|_| bulkhead.try_acquire(free()).unwrap()).collect();
    bulkhead.reconfigure(limit(2)).unwrap();
    assert_eq!(bulkhead.in_flight(), 4);
    for inside in [3, 2] {
        permits.pop();
        assert_eq!(bulkhead.in_flight(), inside);
        assert!(bulkhead.try_acquire(free()).is_err());
    }
    permits.pop();
    assert!(bulkhead.try_acquire(free()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn res_b10_a_raised_limit_lets_waiters_in() {
    let bulkhead = bulkhead(queue(1));
    let _held = bulkhead.try_acquire(free()).unwrap();
    let mut waiter = Box::pin(bulkhead.acquire(free()));
    assert!(waits(waiter.as_mut()));
    bulkhead.reconfigure(queue(2)).unwrap();
    assert!(waiter.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn res_b11_made_up_tenants_leave_nothing_behind() {
    let bulkhead = bulkhead(limit(1));
    let _held = bulkhead.try_acquire(of("real")).unwrap();
    for tenant in 0..100_000 {
        assert!(bulkhead.try_acquire(of(&format!("made-up-{tenant}"))).is_err());
    }
    assert_eq!(bulkhead.shares(), 1);
}

async fn ok(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    sleep(SECOND).await;
    Ok(Response::new(Full::new(Bytes::from_static(b"body"))))
}

#[tokio::test(start_paused = true)]
async fn res_g4_idle_clones_that_are_ready_hold_nothing() {
    let bulkhead = bulkhead(limit(10));
    let service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(ok));
    let mut idle: Vec<_> = (0..100).map(|_| service.clone()).collect();
    for clone in &mut idle {
        clone.ready().await.unwrap();
    }
    assert_eq!(bulkhead.in_flight(), 0);
    assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn res_g5_a_full_bulkhead_is_ready_and_refuses_in_call() {
    let bulkhead = bulkhead(limit(1));
    let _held = bulkhead.try_acquire(free()).unwrap();
    let mut service = BulkheadLayer::new(bulkhead).layer(service_fn(ok));
    let response = service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
}

#[tokio::test(start_paused = true)]
async fn res_t5_waiting_in_the_queue_counts_against_the_deadline() {
    let bulkhead = bulkhead(queue(1));
    let _held = bulkhead.try_acquire(free()).unwrap();
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(ok));
    let started = Instant::now();
    let call = {
        let _scope = Deadline::after(bulkhead.clock().now(), 2 * SECOND).enter();
        service.call(Request::new(()))
    };
    let response = call.await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Outcome::Rejected(Rejection::Deadline)));
    assert!(started.elapsed() < 3 * SECOND);
    assert_eq!(bulkhead.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_queued_call_runs_when_there_is_room() {
    let bulkhead = bulkhead(queue(1));
    let service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(ok));
    let started = Instant::now();
    let call = || service.clone().oneshot(Request::new(()));
    let answers = tokio::join!(call(), call(), call());
    for answer in [answers.0, answers.1, answers.2] {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert!(started.elapsed() >= 3 * SECOND, "one after the other");
    assert_eq!(bulkhead.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn res_o5_room_can_be_held_to_the_end_of_the_body() {
    let bulkhead = bulkhead(limit(1));
    let layer = BulkheadLayer::new(bulkhead.clone()).hold_to_end_of_body();
    let service = layer.layer(service_fn(ok));
    let response = service.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(bulkhead.in_flight(), 1);
    response.into_body().collect().await.unwrap();
    assert_eq!(bulkhead.in_flight(), 0);
    let response = service.oneshot(Request::new(())).await.unwrap();
    drop(response);
    assert_eq!(bulkhead.in_flight(), 0, "a body that is dropped ends too");
}

#[tokio::test(start_paused = true)]
async fn res_o4_and_g11_panics_and_drops_give_room_back() {
    let bulkhead = bulkhead(limit(1));
    let inner = service_fn(async |_: Request<()>| -> Result<Response<Bytes>, Infallible> {
        std::panic::resume_unwind(Box::new("handler"))
    });
    let service = BulkheadLayer::new(bulkhead.clone()).layer(inner);
    let tasks = tokio::task::LocalSet::new();
    let call = service.clone().oneshot(Request::new(()));
    let joined = tasks.run_until(async { tokio::task::spawn_local(call).await }).await;
    assert!(joined.unwrap_err().is_panic());
    assert_eq!(bulkhead.in_flight(), 0);
    let mut slow = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(ok));
    drop(slow.call(Request::new(())));
    assert_eq!(bulkhead.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn res_a1_and_a2_knobs_change_live_together_or_not_at_all() {
    let registry = Registry::default();
    let bulkhead = Bulkhead::builder("b").config(limit(1)).controls(&registry).build().unwrap();
    let _held = bulkhead.try_acquire(free()).unwrap();
    let control = registry.list().remove(0);
    assert_eq!(control.state(), "full");
    let broken = Action::new("configure")
        .argument("max_concurrent_calls", 5)
        .argument("max_queue_length", 10_001);
    assert!(control.apply(&broken).is_err());
    assert!(bulkhead.try_acquire(free()).is_err());
    control.apply(&Action::new("configure").argument("max_concurrent_calls", 2)).unwrap();
    assert!(bulkhead.try_acquire(free()).is_ok());
    assert_eq!(control.snapshot()["rejected_calls"], 1);
}

#[tokio::test(start_paused = true)]
async fn res_a4_in_shadow_mode_calls_without_room_are_counted_and_let_in() {
    let bulkhead = bulkhead(queue(1).shadow(true));
    let permits: Vec<_> = (0..3).map(|_| bulkhead.try_acquire(of("a")).unwrap()).collect();
    assert_eq!((bulkhead.in_flight(), bulkhead.rejected()), (3, 2));
    drop(permits);
    assert_eq!((bulkhead.in_flight(), bulkhead.shares()), (0, 0));
}

#[test]
fn each_setting_is_checked() {
    for (config, field) in [
        (limit(0), "max_concurrent_calls"),
        (limit(1).max_concurrent_calls_per_share(0), "max_concurrent_calls_per_share"),
        (limit(1).max_wait_duration(3_601 * SECOND), "max_wait_duration"),
        (limit(1).max_queue_length(10_001), "max_queue_length"),
    ] {
        let error = Bulkhead::builder("b").config(config).build().unwrap_err();
        assert_eq!(error.field(), field);
    }
}
