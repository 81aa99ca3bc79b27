#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! # Items
//!
//! | item | what it is |
//! |---|---|
//! | [`Quota`] | how much in which time: rate, strict, window, calendar, concurrency |
//! | [`Key`] | whose limit: tenant, user, credential, address, route, method, anything |
//! | [`Policy`] | a named quota and key: cost, what counts, overrides, shadow, where it is kept |
//! | [`Limiter`] | several policies, all or nothing; a [`Control`], an [`Admit`] |
//! | `RateLimitLayer` | the limiter as a tower layer: 429 or 503, `Retry-After`, headers |
//! | [`Headers`] | which headers, on which responses |
//! | [`RequestCost`], [`Acquired`] | what a request cost, told after it; reserve, commit, refund |
//! | [`Store`] | where a fleet keeps its counts; [`MemoryStore`], and by feature Redis, DynamoDB |
//! | [`LeaseConfig`], [`Bound`] | how a node leases, and what the fleet is admitted at most |
//!
//! # Who decides
//!
//! Keys that a caller can make up (tenant, user, address, header) live in a table of our own: it
//! is bounded from the start, shares cells when it is full, and never forgets a key in debt. A
//! limit without such keys (global, per route, per method) is decided by governor, where one
//! request is a whole number of nanoseconds. Both decide the same.
//!
//! # A fleet
//!
//! With the feature `shared` a policy can be `leased` from a store: the node takes tokens ahead of
//! need and spends them at the price of a local limit. Policies that are `strict` ask the store
//! about every request.
//!
//! | quota | leased: the fleet is admitted at most | strict |
//! |---|---|---|
//! | rate | what one bucket admits in `W` and the age of a lease: [`Bound`] | what one bucket admits |
//! | fixed, calendar | the limit in each window: leases end with it | the limit in each window |
//! | sliding | what one counter admits | what one counter admits |
//! | concurrency | the limit at once: places are leased, and renewed while they are used | refused when it is built |
//!
//! Keys far from their limit never reach the store, but those of windows, whose limit would not be
//! exact then. With a clock of the caller's, as in DynamoDB, a window begins early by as much as the
//! fastest clock is ahead.
//!
//! Without the store, leases run out first, then comes the node's share, then what
//! [`OnStoreFailure`] says; each step is counted and named in `x-ratelimit-fallback`. No request
//! waits longer than the store's time-out, and none fails because of it. Where a limit is promised
//! exactly, of windows and of what runs at once, a request is refused that waited so long while the
//! store gave to others.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `governor` (default) | governor for limits without open-ended keys |
//! | `layer` (default) | the tower layer |
//! | `shared` | leased and strict policies, on tokio |
//! | `redis` | a store in Redis, single or cluster |
//! | `dynamodb` | a store in a DynamoDB table |
//! | `sim` | the fleet simulator |
//!
//! # Time
//!
//! A decision reads the clock once. Where the time that a limit is about, in which a bucket refills
//! or a window ends, is a second or more, that is [the kernel's last tick](obs_core::clock::Clock::coarse),
//! which costs a fifth of an exact reading and is late by at most 10 ms, never early. What is
//! admitted in a span `W` is then what the quota promises for `W` and those 10 ms, a hundredth of a
//! burst at most; a window ends late by as much. A refusal that the exact time could turn is decided
//! by the exact time, so `Retry-After` is neither a second too long nor too short. Shorter limits,
//! [strict](Quota::strict) ones and the ends of leases are always timed exactly.
//!
//! # Keys
//!
//! In a table a key is a 64-bit hash under a secret that is drawn when the limiter is built: nobody
//! outside the process can choose keys that share a bucket. By chance, two of a million keys do with
//! a probability of three in a hundred million. Names in a store are 128-bit hashes under the fleet's
//! secret.
//!
//! # Cost
//!
//! A local or leased decision takes one lock of its own set of cells, for the time of the decision,
//! and allocates nothing; headers allocate, and so does what has to be settled when a request
//! ends. A table of 262,144 keys is 9 MiB for rates, 18 MiB for windows, and about 55 MiB for
//! leases, all of it taken when the limiter is built. Quotas and overrides that were replaced while
//! the limiter runs are read a little more slowly than its first ones.
//!
//! [`Admit`]: obs_core::admit::Admit
//! [`Control`]: obs_core::control::Control

// What only some features use is written once, and compiled always.
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod engine;
mod headers;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod key;
#[cfg(feature = "layer")]
mod layer;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod lease;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod limiter;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod local;
mod overrides;
mod policy;
mod quota;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod store;

pub use headers::{Emit, Headers, ResetStyle};
pub use key::Key;
#[cfg(feature = "layer")]
pub use layer::{HeldToEnd, RateLimit, RateLimitLayer, ResponseBody, ResponseFuture};
pub use lease::{Bound, LeaseConfig, OnStoreFailure};
pub use limiter::{Acquired, Check, KeyInStore, Limiter, LimiterBuilder, Peek, RequestCost};
pub use overrides::{Limit, Overrides};
pub use policy::{Charge, DEFAULT_MAX_KEYS, OnMissingKey, Policy, PolicyBuilder};
pub use quota::{CalendarUnit, MAX_PERIOD, Quota};
#[cfg(feature = "dynamodb")]
pub use store::DynamoDbStore;
#[cfg(feature = "redis")]
pub use store::RedisStore;
pub use store::{
    GiveBack, Grant, Hold, MemoryStore, Shape, SharedQuota, Store, StoreError, StoreErrorKind,
    StoreFuture, StoreKey, Take,
};
