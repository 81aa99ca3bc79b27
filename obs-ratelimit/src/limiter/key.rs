use std::time::Duration;

use obs_core::config::ConfigError;

use super::{Active, Limiter};
use crate::engine::{Report, StoreAction, Subject, Waiting};
use crate::store::{StoreError, StoreKey};

/// The standing of one key under one policy.
///
/// ```
/// use obs_ratelimit::{Key, Limiter, Policy, Quota};
///
/// let policy = Policy::builder("tenant", Quota::per_minute(60)).key(Key::tenant()).build()?;
/// let limiter = Limiter::new(policy)?;
/// let standing = limiter.peek("tenant", &["acme"])?;
/// assert_eq!(standing.remaining, standing.capacity);
/// assert!(standing.more_in.is_zero());
///
/// // Support may help a tenant out, or start it anew.
/// limiter.grant("tenant", &["acme"], 10)?;
/// limiter.reset("tenant", &["acme"])?;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peek {
    /// The most that can be used at once; `u64::MAX` for a key without a limit.
    pub capacity: u64,
    /// What can be used now.
    pub remaining: u64,
    /// The time until there is more; zero when there is all.
    pub more_in: Duration,
}

impl From<Option<Report>> for Peek {
    fn from(report: Option<Report>) -> Self {
        let unlimited = Self { capacity: u64::MAX, remaining: u64::MAX, more_in: Duration::ZERO };
        report.map_or(unlimited, |report| Self {
            capacity: report.capacity,
            remaining: report.standing.remaining,
            more_in: Duration::from_nanos(report.standing.more_in),
        })
    }
}

/// A key of one policy.
pub(super) struct Named<'a> {
    pub(super) active: &'a Active,
    subject: Subject,
    name: StoreKey,
}

impl Named<'_> {
    /// The store's part of an action; `None` for a policy without a store.
    pub(super) fn in_store(
        &self,
        action: StoreAction,
    ) -> Option<Waiting<Result<Option<Report>, StoreError>>> {
        self.active.engine.in_store(self.subject, self.name, action)
    }

    /// The store's part of an action, of which nobody waits for the answer.
    #[cfg(feature = "shared")]
    fn send(&self, action: StoreAction) {
        if let Some(answer) = self.in_store(action)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(answer);
        }
    }

    #[cfg(not(feature = "shared"))]
    fn send(&self, _action: StoreAction) {}
}

impl Limiter {
    /// The standing of a key, given as the values of its parts; charges nothing and claims no
    /// memory.
    ///
    /// Of a key in a store it is what this node knows; [`in_store`](Self::in_store) asks the store.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such policy or the values do not fit its key.
    pub fn peek(&self, policy: &str, key: &[&str]) -> Result<Peek, ConfigError> {
        let named = self.find(policy, key)?;
        Ok(named.active.engine.report(named.subject).into())
    }

    /// Makes a key as if it had never been seen.
    ///
    /// A key in a store is forgotten by this node at once, and by the store on its own time; other
    /// nodes notice within 10 s.
    ///
    /// # Errors
    /// As for [`peek`](Self::peek).
    ///
    /// ```
    /// use obs_ratelimit::{Key, Limiter, Policy, Quota};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = Policy::builder("tenant", Quota::per_minute(10)).key(Key::tenant()).build()?;
    /// let limiter = Limiter::new(policy)?;
    /// let request = http::Request::get("/").header("x-tenant-id", "acme").body(())?;
    /// if let Ok(used) = limiter.acquire(&request.into_parts().0).await {
    ///     used.commit();
    /// }
    /// assert_eq!(limiter.peek("tenant", &["acme"])?.remaining, 9);
    ///
    /// limiter.reset("tenant", &["acme"])?;
    /// assert_eq!(limiter.peek("tenant", &["acme"])?.remaining, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset(&self, policy: &str, key: &[&str]) -> Result<(), ConfigError> {
        let named = self.find(policy, key)?;
        named.active.engine.forget(named.subject);
        named.send(StoreAction::Reset);
        Ok(())
    }

    /// Gives a key back up to `tokens` of what it used; it never gets more than its capacity.
    ///
    /// A key in a store gets them from the store, on its own time; other nodes notice within 10 s.
    ///
    /// # Errors
    /// As for [`peek`](Self::peek).
    ///
    /// ```
    /// use obs_ratelimit::{Key, Limiter, Policy, Quota};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = Policy::builder("import", Quota::per_hour(100)).key(Key::tenant()).cost(60);
    /// let limiter = Limiter::new(policy.build()?)?;
    /// let request = http::Request::get("/").header("x-tenant-id", "acme").body(())?;
    /// if let Ok(used) = limiter.acquire(&request.into_parts().0).await {
    ///     used.commit();
    /// }
    /// assert_eq!(limiter.peek("import", &["acme"])?.remaining, 40);
    ///
    /// // An import that failed for a fault of ours need not count.
    /// limiter.grant("import", &["acme"], 60)?;
    /// assert_eq!(limiter.peek("import", &["acme"])?.remaining, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn grant(&self, policy: &str, key: &[&str], tokens: u64) -> Result<(), ConfigError> {
        let named = self.find(policy, key)?;
        named.active.engine.grant(named.subject, tokens);
        named.send(StoreAction::Grant(tokens));
        Ok(())
    }

    /// A key in the store of its policy, to be looked at, reset or granted tokens there.
    ///
    /// # Errors
    /// As for [`peek`](Self::peek), and if the policy has no store.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::clock::Clock;
    /// use obs_ratelimit::{Key, LeaseConfig, Limiter, MemoryStore, Policy, Quota};
    ///
    /// let store = Arc::new(MemoryStore::new(Clock::system(), 1_024));
    /// let fleet = Policy::builder("tenant", Quota::per_hour(100)).key(Key::tenant());
    /// let fleet = fleet.leased(store, LeaseConfig::new()).build()?;
    /// let node = Policy::builder("method", Quota::per_second(500)).key(Key::method()).build()?;
    /// let limiter = Limiter::builder().fleet_secret([7; 16]).policy(fleet).policy(node).build()?;
    ///
    /// assert!(limiter.in_store("tenant", &["acme"]).is_ok());
    /// // This one is counted by each node for itself.
    /// assert!(limiter.in_store("method", &["GET"]).is_err());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn in_store(&self, policy: &str, key: &[&str]) -> Result<KeyInStore, ConfigError> {
        let named = self.find(policy, key)?;
        if !named.active.policy.mode.is_shared() {
            return Err(ConfigError::new("policy", policy, "must be one that uses a store"));
        }
        let (subject, name) = (named.subject, named.name);
        Ok(KeyInStore { limiter: self.clone(), policy: policy.to_owned(), subject, name })
    }

    pub(super) fn find(&self, policy: &str, key: &[&str]) -> Result<Named<'_>, ConfigError> {
        let active = self.active(policy)?;
        active.fits(key)?;
        let secret = &self.0.secret;
        let (subject, name) = (active.subject_of(key, secret), active.name_of(key, secret));
        Ok(Named { active, subject, name })
    }
}

/// A key in the store of its policy.
///
/// What is asked of a store may have been done also when its future was dropped before it answered;
/// asking again does no harm, but for a grant, which is then given twice.
///
/// ```
/// use std::sync::Arc;
/// use obs_core::clock::Clock;
/// use obs_ratelimit::{Key, LeaseConfig, Limiter, MemoryStore, Policy, Quota};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::new(Clock::system(), 1_024));
/// let policy = Policy::builder("tenant", Quota::per_hour(100)).key(Key::tenant());
/// let policy = policy.leased(store, LeaseConfig::new()).build()?;
/// let limiter = Limiter::builder().fleet_secret([7; 16]).policy(policy).build()?;
///
/// let acme = limiter.in_store("tenant", &["acme"])?;
/// assert_eq!(acme.peek().await?.remaining, 100);
/// acme.reset().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct KeyInStore {
    limiter: Limiter,
    policy: String,
    subject: Subject,
    name: StoreKey,
}

impl KeyInStore {
    /// What the store says of the key; what nodes have leased is used, to the store.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer within its time-out.
    pub async fn peek(&self) -> Result<Peek, StoreError> {
        self.act(StoreAction::Peek).await
    }

    /// Makes the key as if it had never been used, and says what is left of it then. Other nodes
    /// notice within 10 s.
    ///
    /// # Errors
    /// As for [`peek`](Self::peek).
    pub async fn reset(&self) -> Result<Peek, StoreError> {
        let answer = self.act(StoreAction::Reset).await?;
        self.with_engine(|active| active.engine.forget(self.subject));
        Ok(answer)
    }

    /// Gives the key back up to `tokens`, of the window that runs if it counts per window, and says
    /// what is left of it then. Other nodes notice within 10 s.
    ///
    /// # Errors
    /// As for [`peek`](Self::peek).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use obs_core::clock::Clock;
    /// use obs_ratelimit::{Key, LeaseConfig, Limiter, MemoryStore, Policy, Quota};
    ///
    /// let store = Arc::new(MemoryStore::new(Clock::system(), 1_024));
    /// let policy = Policy::builder("import", Quota::per_hour(100)).key(Key::tenant()).cost(60);
    /// let policy = policy.strict(store, LeaseConfig::new()).build()?;
    /// let limiter = Limiter::builder().fleet_secret([7; 16]).policy(policy).build()?;
    /// let request = http::Request::get("/").header("x-tenant-id", "acme").body(())?;
    /// if let Ok(used) = limiter.acquire(&request.into_parts().0).await {
    ///     used.commit();
    /// }
    ///
    /// let acme = limiter.in_store("import", &["acme"])?;
    /// assert_eq!(acme.peek().await?.remaining, 40);
    /// assert_eq!(acme.grant(60).await?.remaining, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn grant(&self, tokens: u64) -> Result<Peek, StoreError> {
        let answer = self.act(StoreAction::Grant(tokens)).await?;
        self.with_engine(|active| active.engine.grant(self.subject, tokens));
        Ok(answer)
    }

    fn with_engine(&self, act: impl FnOnce(&Active)) {
        if let Ok(active) = self.limiter.active(&self.policy) {
            act(active);
        }
    }

    async fn act(&self, action: StoreAction) -> Result<Peek, StoreError> {
        let mut answer = None;
        self.with_engine(|active| {
            answer = active.engine.in_store(self.subject, self.name, action);
        });
        match answer {
            Some(answer) => Ok(answer.await?.into()),
            None => Ok(None.into()),
        }
    }
}
