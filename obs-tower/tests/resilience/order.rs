//! The layers alone, stacked in every order.

use std::future::{pending, ready};

use http::Request;
use obs_core::circuit::State;
use tower::{ServiceExt, service_fn};

use crate::support::{Answer, Body, Boxed, Patterns, answer, request};

const STACKED: [&str; 6] =
    ["circuit_breaker", "bulkhead", "load_shed", "timeout", "fallback", "retry"];

/// All orders of `rest`, each after `first`.
fn orders(first: &[&'static str], rest: &[&'static str], found: &mut Vec<Vec<&'static str>>) {
    if rest.is_empty() {
        found.push(first.to_vec());
    }
    for next in rest {
        let first = [first, &[*next]].concat();
        let rest: Vec<_> = rest.iter().copied().filter(|name| name != next).collect();
        orders(&first, &rest, found);
    }
}

fn all_orders(of: &[&'static str]) -> Vec<Vec<&'static str>> {
    let mut found = Vec::new();
    orders(&[], of, &mut found);
    found
}

fn stack(patterns: &Patterns, order: &[&str], inner: Boxed) -> Boxed {
    order.iter().fold(inner, |inner, name| patterns.around(name, inner))
}

#[tokio::test(start_paused = true)]
async fn the_layers_work_in_every_order() {
    let orders = all_orders(&STACKED);
    assert_eq!(orders.len(), 720);
    for order in orders {
        let patterns = Patterns::new();
        for (status, seen) in [(200, 200), (404, 404), (500, 299)] {
            let inner = Boxed::new(service_fn(move |_: Request<Body>| ready(answer(status))));
            let service = stack(&patterns, &order, inner);
            assert_eq!(service.oneshot(request()).await.unwrap().status(), seen, "{order:?}");
        }
        // Outside the fallback it sees what the fallback made of the 500.
        assert_eq!(patterns.breaker.totals().calls, 3, "{order:?}");
        patterns.hold_nothing(&format!("{order:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn res_c15_in_every_order_a_service_that_hangs_opens_the_breaker() {
    for order in all_orders(&STACKED[..4]) {
        let patterns = Patterns::new();
        let never = Boxed::new(service_fn(|_: Request<Body>| pending::<Answer>()));
        let service = stack(&patterns, &order, never);
        for _ in 0..3 {
            let response = service.clone().oneshot(request()).await.unwrap();
            assert_eq!(response.status(), 504, "{order:?}");
        }
        assert_eq!(patterns.breaker.state(), State::Open, "{order:?}");
        assert_eq!(service.oneshot(request()).await.unwrap().status(), 503, "{order:?}");
        patterns.hold_nothing(&format!("{order:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn res_o2_in_every_order_a_refusal_is_one_guards_and_no_failure() {
    for order in all_orders(&STACKED[..4]) {
        let patterns = Patterns::new();
        let held = [0, 1].map(|_| patterns.bulkhead.try_acquire(Default::default()).unwrap());
        let ok = Boxed::new(service_fn(|_: Request<Body>| ready(answer(200))));
        let response = stack(&patterns, &order, ok).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), 503, "{order:?}");
        assert_eq!(patterns.bulkhead.rejected(), 1, "{order:?}");
        assert_eq!(patterns.breaker.counters().not_permitted, 0, "{order:?}");
        assert_eq!(patterns.breaker.totals().calls, 0, "a refusal is no news: {order:?}");
        drop(held);
        patterns.hold_nothing(&format!("{order:?}"));
    }
}
