//! A limit per tenant: asked directly, leased from a store, and as a layer.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use obs_core::clock::Clock;
use obs_ratelimit::{
    Headers, Key, LeaseConfig, Limiter, MemoryStore, Policy, PolicyBuilder, Quota, RateLimit,
};
use tower_service::Service;

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rate_limit/one_hot_key", || check(&local(PLENTY), 1)).within(10_000, 40),
        Job::new("rate_limit/1_m_keys", || check(&local(PLENTY), 1_000_000))
            .within(10_000, 150)
            .unsteady(),
        Job::new("rate_limit/denied", || check(&local(Quota::per_hour(1)), 1)).within(10_000, 48),
        Job::new("rate_limit/leased", leased).within(10_000, 48).unsteady(),
        Job::new("rate_limit/layer", || layer(PLENTY)).within(10_000, 100),
        Job::new("rate_limit/layer_denied", || layer(Quota::per_hour(1))).within(10_000, 400),
    ]
}

const TENANT: HeaderName = HeaderName::from_static("x-tenant-id");
const PLENTY: Quota = Quota::per_second(100_000_000);

fn policy(quota: Quota) -> PolicyBuilder {
    Policy::builder("tenant", quota).key(Key::tenant_from(TENANT)).max_keys(2_000_000)
}

fn limiter(policy: PolicyBuilder) -> Limiter {
    let builder = Limiter::builder().fleet_secret([7; 16]).headers(Headers::none());
    let policy = policy.build().expect("the policy is valid");
    builder.policy(policy).build().expect("the limiter is valid")
}

fn local(quota: Quota) -> Limiter {
    limiter(policy(quota))
}

/// Asks with `keys` tenants in a random order.
fn check(limiter: &Limiter, keys: u64) -> impl FnMut(u64) + use<> {
    let limiter = limiter.clone();
    let value = |key: u64| HeaderValue::try_from(format!("tenant-{key}")).expect("visible ASCII");
    let tenants: Vec<HeaderValue> = (0..keys).map(value).collect();
    let (mut request, ()) =
        Request::get("/").header(TENANT, "none").body(()).expect("valid parts").into_parts();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |times| {
        for _ in 0..times {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if let Some(tenant) = request.headers.get_mut(&TENANT) {
                *tenant = tenants[(state % keys) as usize].clone();
            }
            let _ = std::hint::black_box(limiter.check(&request));
        }
    }
}

/// The same, with leases from a store that answers on another thread.
fn leased() -> impl FnMut(u64) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_time().build().expect("a runtime");
    let store = Arc::new(MemoryStore::new(Clock::system(), 1_024));
    // Without the silent part, every request is paid by a lease.
    let config = LeaseConfig::new().silent_fraction(0.0);
    let limiter = limiter(policy(PLENTY).max_keys(1_024).leased(store, config));
    let mut check = check(&limiter, 1);
    move |times| {
        let _inside = runtime.enter();
        check(times);
    }
}

/// A service that does nothing, behind the layer.
fn layer(quota: Quota) -> impl FnMut(u64) {
    let inner = tower::service_fn(|_: Request<Full<Bytes>>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let mut service = RateLimit::new(inner, local(quota));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    move |times| {
        for _ in 0..times {
            let request = Request::get("/").header(TENANT, "tenant-1").body(Full::default());
            let call = std::pin::pin!(service.call(request.expect("valid parts")));
            let _ = std::hint::black_box(std::future::Future::poll(call, &mut context));
        }
    }
}
