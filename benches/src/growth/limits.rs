//! Keys of a rate limit, and tenants of the whole chain.

use std::borrow::Cow;

use http::{HeaderValue, Request};
use obs_ratelimit::{Headers, Limiter, Quota};
use obs_tower::observe::ObserveLayer;

use super::requests::calls_of;
use super::{Axis, Series};
use crate::service::telemetry::telemetry;
use crate::service::{TENANT, Traces, bare, guard, limiter};

const PLENTY: Quota = Quota::per_second(100_000_000);

/// Keys that a limit knows, asked in a random order.
pub(super) fn keys() -> Axis {
    Axis {
        name: "rate-limit keys",
        points: &[1, 10, 100, 1_000, 10_000, 100_000],
        series: vec![Series::new("check", |keys| {
            check(limiter(PLENTY, 200_000, Headers::none()), keys)
        })],
    }
}

fn check(limiter: Limiter, keys: u64) -> impl FnMut(u64) {
    let tenants = tenant_names(keys);
    let (mut request, ()) =
        Request::get("/").header(TENANT, "none").body(()).expect("valid parts").into_parts();
    let mut ask = move |tenant: &HeaderValue| {
        if let Some(header) = request.headers.get_mut(&TENANT) {
            header.clone_from(tenant);
        }
        let _ = std::hint::black_box(limiter.check(&request));
    };
    tenants.iter().for_each(&mut ask);
    let mut order = Order::default();
    move |times| (0..times).for_each(|_| ask(&tenants[order.next(keys)]))
}

/// Tenants who call by turns, each with a limit and a field of its own.
pub(super) fn tenants() -> Axis {
    let series = Series::new("chain", |tenants| {
        let observe = ObserveLayer::builder(telemetry(1.0)).tenant_id(|head| {
            Some(Cow::Owned(head.headers.get(TENANT)?.to_str().ok()?.to_owned()))
        });
        let observe = observe.build().expect("the settings are valid");
        let names = tenant_names(tenants);
        let (mut order, mut traces) = (Order::default(), Traces::default());
        let mut calls = calls_of(bare().layer((observe, guard(Headers::none()))), move |sent| {
            let tenant = if sent < tenants { sent as usize } else { order.next(tenants) };
            let mut request = traces.request();
            request.headers_mut().insert(TENANT, names[tenant].clone());
            request
        });
        calls(tenants);
        calls
    });
    Axis { name: "tenants", points: &[1, 10, 100, 1_000, 10_000], series: vec![series] }
}

fn tenant_names(tenants: u64) -> Vec<HeaderValue> {
    let name =
        |number| HeaderValue::try_from(format!("tenant-{number:06}")).expect("visible ASCII");
    (0..tenants).map(name).collect()
}

/// An order that looks random and is the same each time.
struct Order(u64);

impl Default for Order {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Order {
    /// The next number below `end`.
    fn next(&mut self, end: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end) as usize
    }
}
