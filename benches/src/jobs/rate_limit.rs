//! A limit per tenant, asked directly.

use http::Request;
use obs_ratelimit::{Key, Limiter, Policy, Quota};

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rate_limit/one_hot_key", || rate_limit(1)).within(10_000, 40),
        Job::new("rate_limit/100_k_keys", || rate_limit(100_000)).within(10_000, 150),
    ]
}

/// Asks a limit per tenant that never refuses, with `keys` tenants in a random order.
fn rate_limit(keys: u64) -> impl FnMut(u64) {
    let quota = Quota::per_second(1_000_000);
    let policy = Policy::builder("tenant", quota)
        .key(Key::tenant_from(http::HeaderName::from_static("x-tenant-id")))
        .max_keys(200_000)
        .build()
        .expect("the policy is valid");
    let limiter = Limiter::new(policy).expect("the limiter is valid");
    let requests: Vec<_> = (0..keys)
        .map(|key| {
            let request = Request::get("/").header("x-tenant-id", format!("tenant-{key}")).body(());
            request.expect("the parts are valid").into_parts().0
        })
        .collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |times| {
        for _ in 0..times {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let request = &requests[(state % keys) as usize];
            let _ = std::hint::black_box(limiter.check(request));
        }
    }
}
