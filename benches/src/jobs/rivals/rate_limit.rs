//! Limits by other hands, asked the same questions as the jobs `rate_limit/…`.
//!
//! governor has the same algorithm, and reads quanta's clock, as it does by default. It keeps every
//! key for good, so its table has no bound, and says nothing of what is left. Its layer tells of
//! `x-ratelimit-limit` and `-remaining` and a `Retry-After` that may be 0; ours tells the headers of
//! the IETF draft besides. For a denial it makes a clock, which asks the processor what it can do: a
//! virtual machine answers that by a detour of microseconds. Instructions of governor are not
//! counted: its clock measures itself when it is first read, for as long as that takes.
//!
//! limitador counts in fixed windows and forgets the keys used least; it finds the key by an
//! expression, from a map of values that a caller has to fill for each request; it is not asked for a
//! million keys, which take it minutes to fill in.

use std::collections::HashMap;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::QuantaInstant;
use governor::middleware::{NoOpMiddleware, RateLimitingMiddleware, StateInformationMiddleware};
use governor::{Quota, RateLimiter};
use http::Request;
use limitador::limit::{Context, Limit};
use tower_governor::governor::{GovernorConfig, GovernorConfigBuilder};
use tower_governor::key_extractor::KeyExtractor;
use tower_governor::{GovernorError, GovernorLayer};

use crate::Job;
use crate::jobs::rate_limit::{HOT, MILLION, Names, TENANT, through};
use crate::two_threads::two_threads;

const KEY: &str = "rate_limit/one_hot_key";
const KEYS: &str = "rate_limit/1_m_keys";
const DENIED: &str = "rate_limit/denied";
const BARE: &str = "rate_limit/bare";

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rival/one limit for all by governor", direct).instead_of(KEY).unsteady(),
        Job::new("rival/one hot key by governor", || hot(plenty())).instead_of(KEY).unsteady(),
        Job::new("rival/1 m keys by governor", random).instead_of(KEYS).unsteady(),
        Job::new("rival/denied by governor", || hot(one())).instead_of(DENIED).unsteady(),
        Job::new("rival/two threads by governor", contended)
            .instead_of("rate_limit/two_threads")
            .shared(),
        Job::new("rival/one hot key by limitador", || counted_hot(u64::MAX)).instead_of(KEY),
        Job::new("rival/denied by limitador", || counted_hot(1)).instead_of(DENIED),
        Job::new("rival/layer by tower_governor", || through(layer(config(PLENTY))))
            .beyond(BARE)
            .instead_of("rate_limit/layer")
            .unsteady(),
        Job::new("rival/layer with headers by tower_governor", || {
            through(layer(with_headers(PLENTY)))
        })
        .beyond(BARE)
        .instead_of("rate_limit/layer_with_headers")
        .unsteady(),
        Job::new("rival/layer denied by tower_governor", || through(layer(config(ONE))))
            .beyond(BARE)
            .instead_of("rate_limit/layer_denied")
            .unsteady(),
    ]
}

const BILLION: NonZeroU32 = NonZeroU32::new(1_000_000_000).expect("not 0");

const fn plenty() -> Quota {
    Quota::per_second(BILLION)
}

const fn one() -> Quota {
    Quota::per_minute(NonZeroU32::MIN)
}

fn direct() -> impl FnMut(u64) {
    let limiter = RateLimiter::direct(plenty());
    move |times| {
        for _ in 0..times {
            let _ = black_box(limiter.check());
        }
    }
}

fn hot(quota: Quota) -> impl FnMut(u64) {
    let (limiter, key) = (RateLimiter::keyed(quota), HOT.to_owned());
    move |times| {
        for _ in 0..times {
            let _ = black_box(limiter.check_key(black_box(&key)));
        }
    }
}

fn contended() -> impl FnMut(u64) {
    let limiter = Arc::new(RateLimiter::<String, _, _>::keyed(plenty()));
    two_threads(move || {
        let (limiter, key) = (limiter.clone(), HOT.to_owned());
        move |times| {
            for _ in 0..times {
                let _ = black_box(limiter.check_key(black_box(&key)));
            }
        }
    })
}

fn random() -> impl FnMut(u64) {
    let (limiter, mut names) = (RateLimiter::<String, _, _>::keyed(plenty()), Names::new());
    for number in 0..MILLION {
        let _ = black_box(limiter.check_key(names.of(number)));
    }
    move |times| {
        for _ in 0..times {
            let _ = black_box(limiter.check_key(names.next()));
        }
    }
}

/// limitador with one limit per tenant, in memory.
fn limitador(most: u64) -> impl FnMut(&str) {
    let limiter = limitador::RateLimiter::new(MILLION);
    let tenant = "tenant".try_into().expect("the expression is valid");
    limiter.add_limit(Limit::new("shop", most, 60, vec![], vec![tenant]));
    let namespace = "shop".into();
    move |key| {
        let values = HashMap::from([("tenant".to_owned(), key.to_owned())]);
        let context = Context::from(values);
        let _ = black_box(limiter.check_rate_limited_and_update(&namespace, &context, 1).is_ok());
    }
}

fn counted_hot(most: u64) -> impl FnMut(u64) {
    let mut check = limitador(most);
    move |times| (0..times).for_each(|_| check(black_box(HOT)))
}

/// The tenant of a request, as a key of tower_governor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenant;

impl KeyExtractor for Tenant {
    type Key = String;

    fn extract<T>(&self, request: &Request<T>) -> Result<String, GovernorError> {
        let tenant = request.headers().get(TENANT).and_then(|it| it.to_str().ok());
        tenant.map(str::to_owned).ok_or(GovernorError::UnableToExtractKey)
    }
}

/// Nanoseconds per request, and how many at once.
type Pace = (u64, u32);

const PLENTY: Pace = (1, BILLION.get());
const ONE: Pace = (60_000_000_000, 1);

fn config((nanos, burst): Pace) -> GovernorConfig<Tenant, NoOpMiddleware<QuantaInstant>> {
    let mut config = GovernorConfigBuilder::default().key_extractor(Tenant);
    config.per_nanosecond(nanos).burst_size(burst).finish().expect("the quota is valid")
}

fn with_headers((nanos, burst): Pace) -> GovernorConfig<Tenant, StateInformationMiddleware> {
    let mut config = GovernorConfigBuilder::default().key_extractor(Tenant);
    let mut config = config.per_nanosecond(nanos).burst_size(burst).use_headers();
    config.finish().expect("the quota is valid")
}

fn layer<M>(config: GovernorConfig<Tenant, M>) -> GovernorLayer<Tenant, M, axum::body::Body>
where
    M: RateLimitingMiddleware<QuantaInstant>,
{
    GovernorLayer::new(config)
}
