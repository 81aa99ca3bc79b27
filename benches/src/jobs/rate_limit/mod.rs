//! A limit per tenant: asked about a key, asked about a request, leased from a store, and as a
//! layer.

mod decisions;
mod layer;

use obs_ratelimit::{Headers, Key, Limiter, Policy, PolicyBuilder, Quota};

use crate::Job;

#[cfg(feature = "rivals")]
pub(super) use layer::through;

pub(super) fn jobs() -> Vec<Job> {
    [decisions::jobs(), layer::jobs()].into_iter().flatten().collect()
}

pub(super) const TENANT: http::HeaderName = http::HeaderName::from_static("x-tenant-id");
/// The most that governor takes too.
const PLENTY: Quota = Quota::per_second(1_000_000_000);
const ONE: Quota = Quota::per_minute(1);
/// The key of jobs that have only one.
pub(super) const HOT: &str = "tenant-000001";
pub(super) const MILLION: u64 = 1_000_000;

fn policy(quota: Quota) -> PolicyBuilder {
    Policy::builder("tenant", quota).key(Key::tenant_from(TENANT)).max_keys(2 * MILLION as usize)
}

fn limiter(policy: PolicyBuilder, headers: Headers) -> Limiter {
    let builder = Limiter::builder().fleet_secret([7; 16]).headers(headers);
    let policy = policy.build().expect("the policy is valid");
    builder.policy(policy).build().expect("the limiter is valid")
}

/// Writes the names of a million tenants in a random order, the same for all who are measured.
///
/// A name is written where the last one stood, out of a table that fits a near cache: what a random
/// key costs is then the limiter's memory, and not that of a million strings.
pub(super) struct Names {
    state: u64,
    digits: Vec<String>,
    name: String,
}

impl Names {
    pub(super) fn new() -> Self {
        let digits = (0..1_000).map(|number| format!("{number:03}")).collect();
        Self { state: 0x9E37_79B9_7F4A_7C15, digits, name: "tenant-".to_owned() }
    }

    pub(super) fn next(&mut self) -> &String {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.of(self.state)
    }

    /// The name of the tenant of this number, of which the last six digits count.
    pub(super) fn of(&mut self, number: u64) -> &String {
        self.name.truncate("tenant-".len());
        for thousand in [number / 1_000 % 1_000, number % 1_000] {
            self.name.push_str(&self.digits[thousand as usize]);
        }
        &self.name
    }
}
