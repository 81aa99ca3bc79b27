use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::sync::{AtomicU64, Ordering};
use super::{CircuitBreaker, CircuitBreakerBuilder, CircuitBreakerConfig, State};
use crate::clock::{Clock, Instant};
use crate::config::ConfigError;
use crate::control::{Kind, Registry, is_name_byte};

/// The key under which calls are judged together when there are too many keys.
pub const OVERFLOW_KEY: &str = "__other__";

/// One breaker per key, such as a tenant, an operation or a host, and never more than a bound.
///
/// When all places are taken, keys whose breaker is closed, in no call's hands, and empty or unused
/// for ten minutes make room. If there is none, a new key shares the breaker of [`OVERFLOW_KEY`]:
/// an open breaker, or one in use, is never pushed out by keys that somebody makes up.
///
/// ```
/// use obs_core::circuit::{CircuitBreakerConfig, CircuitBreakers};
///
/// let hosts = CircuitBreakers::new("hosts", CircuitBreakerConfig::new(), 100)?;
/// assert_eq!(&**hosts.get("api.example.com").name(), "hosts/api.example.com");
/// # Ok::<_, obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreakers(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    max_keys: usize,
    clock: Clock,
    controls: Option<Registry>,
    configure: Box<dyn Fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder + Send + Sync>,
    overflow: CircuitBreaker,
    breakers: RwLock<HashMap<Box<str>, Entry>>,
    next_sweep: AtomicU64,
}

struct Entry {
    breaker: CircuitBreaker,
    used: AtomicU64,
}

const IDLE: Duration = Duration::from_secs(600);
/// Looking for room costs a walk over all keys; a flood of new keys does not cause it more often.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(1);

impl CircuitBreakers {
    /// Breakers named `name/key`, all with `config`, for at most `max_keys` keys.
    ///
    /// # Errors
    /// As [`CircuitBreakerBuilder::build`], and when `max_keys` is 0.
    pub fn new(
        name: impl Into<Arc<str>>,
        config: CircuitBreakerConfig,
        max_keys: usize,
    ) -> Result<Self, ConfigError> {
        let with_config = move |builder: CircuitBreakerBuilder| builder.config(config.clone());
        Self::with(name, max_keys, Clock::system(), None, with_config)
    }

    /// Breakers built by `configure`, on `clock`, registered with `controls` while they exist.
    ///
    /// Give them a recorder only if the keys are your own, such as operations: the label
    /// `CircuitBreaker` names the key, and keys that come and go would leave ever more series behind.
    ///
    /// ```
    /// use obs_core::circuit::{CircuitBreakerConfig, CircuitBreakers};
    /// use obs_core::clock::Clock;
    /// use obs_core::control::Registry;
    ///
    /// let config = CircuitBreakerConfig::new().minimum_number_of_calls(20);
    /// let controls = Some(Registry::default());
    /// let breakers = CircuitBreakers::with("partners", 100, Clock::system(), controls, move |breaker| {
    ///     breaker.config(config.clone())
    /// })?;
    /// assert!(breakers.is_empty());
    /// assert_eq!(&**breakers.get("acme").name(), "partners/acme");
    /// assert_eq!(breakers.len(), 1);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// As [`CircuitBreakers::new`].
    pub fn with(
        name: impl Into<Arc<str>>,
        max_keys: usize,
        clock: Clock,
        controls: Option<Registry>,
        configure: impl Fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        if max_keys == 0 {
            return Err(ConfigError::new("max_keys", max_keys, "must be at least 1"));
        }
        let name = name.into();
        let builder = CircuitBreaker::builder(full_name(&name, OVERFLOW_KEY)).clock(clock.clone());
        let overflow = configure(builder).build()?;
        if let Some(controls) = &controls {
            controls.register(Arc::new(overflow.clone()));
        }
        Ok(Self(Arc::new(Shared {
            name,
            max_keys,
            clock,
            controls,
            configure: Box::new(configure),
            overflow,
            breakers: RwLock::default(),
            next_sweep: AtomicU64::new(0),
        })))
    }

    /// The breaker of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> CircuitBreaker {
        let now = self.0.clock.coarse();
        let breakers = self.0.breakers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = breakers.get(key) {
            entry.used.store(now.as_nanos(), Ordering::Relaxed);
            return entry.breaker.clone();
        }
        drop(breakers);
        self.add(key, now)
    }

    /// How many keys have a breaker of their own.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.breakers.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no key has a breaker of its own.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cold]
    fn add(&self, key: &str, now: Instant) -> CircuitBreaker {
        let shared = &*self.0;
        let mut breakers = shared.breakers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = breakers.get(key) {
            return entry.breaker.clone();
        }
        if breakers.len() >= shared.max_keys {
            shared.sweep(&mut breakers, now);
        }
        if breakers.len() >= shared.max_keys {
            return shared.overflow.clone();
        }
        let name = full_name(&shared.name, key);
        let builder = CircuitBreaker::builder(name).clock(shared.clock.clone());
        let Ok(breaker) = (shared.configure)(builder).build() else {
            return shared.overflow.clone();
        };
        if let Some(controls) = &shared.controls {
            controls.register(Arc::new(breaker.clone()));
        }
        let used = AtomicU64::new(now.as_nanos());
        breakers.insert(key.into(), Entry { breaker: breaker.clone(), used });
        breaker
    }
}

impl Shared {
    fn sweep(&self, breakers: &mut HashMap<Box<str>, Entry>, now: Instant) {
        if now.as_nanos() < self.next_sweep.load(Ordering::Relaxed) {
            return;
        }
        self.next_sweep.store((now + BETWEEN_SWEEPS).as_nanos(), Ordering::Relaxed);
        let own_handles = 1 + usize::from(self.controls.is_some());
        breakers.retain(|_, entry| {
            let used = Instant::from_nanos(entry.used.load(Ordering::Relaxed));
            let disposable = entry.breaker.state() == State::Closed
                && entry.breaker.handles() <= own_handles
                && (entry.breaker.totals().calls == 0 || now - used >= IDLE);
            if disposable && let Some(controls) = &self.controls {
                controls.remove(Kind::CircuitBreaker, entry.breaker.name());
            }
            !disposable
        });
    }
}

/// `name/key`, with a hash in place of what a control's name may not contain.
fn full_name(name: &str, key: &str) -> String {
    let full = format!("{name}/{key}");
    if full.len() <= 128 && full.bytes().all(is_name_byte) {
        return full;
    }
    // FNV-1a, 64 bits: short, and the same in every process.
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{name}/{hash:016x}")
}

impl fmt::Debug for CircuitBreakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakers")
            .field("name", &self.0.name)
            .field("max_keys", &self.0.max_keys)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
