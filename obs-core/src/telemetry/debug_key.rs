use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use tracing::level_filters::LevelFilter;

use crate::clock::{Instant, Timestamp};
use crate::config::ConfigError;

/// The longest a token may be valid.
const MAX_VALIDITY: Duration = Duration::from_secs(3_600);

const MAX_TOKEN_BYTES: usize = 512;

/// Signs and checks `x-obs-debug`, which raises the level of the lines for one request and its
/// downstream calls.
///
/// A token reads `level.expires.scope.signature`: `debug` or `trace`; the second, since 1970, at
/// which it ends; the service it is meant for, or `*` for all; and the HMAC-SHA256 of what comes
/// before the last dot, in hexadecimal digits. It holds for an hour at most. All services of a
/// call chain share the key.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::telemetry::DebugKey;
/// use tracing::level_filters::LevelFilter;
///
/// let key = DebugKey::new("a secret of sixteen bytes or more")?;
/// let now = Timestamp::from_unix_millis(1_767_225_600_000);
/// let expires = Timestamp::from_unix_millis(1_767_225_900_000);
/// let token = key.sign(LevelFilter::DEBUG, expires, "*");
/// assert_eq!(key.check(&token, now, "orders"), Ok(LevelFilter::DEBUG));
/// assert!(key.check(&token.replace("debug", "trace"), now, "orders").is_err());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub struct DebugKey {
    mac: Hmac<Sha256>,
    interval: u64,
    tolerance: u64,
    full_at: AtomicU64,
}

impl DebugKey {
    /// A key with a budget of 60 requests a minute.
    ///
    /// # Errors
    /// [`ConfigError`] when the secret is shorter than 16 bytes; the error does not show it.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let secret = secret.as_ref();
        if secret.len() < 16 {
            let rule = "must be at least 16 bytes long";
            return Err(ConfigError::new("debug_key", "(hidden)", rule));
        }
        let mac = Hmac::new_from_slice(secret)
            .map_err(|_| ConfigError::new("debug_key", "(hidden)", "must be usable as a key"))?;
        Ok(Self { mac, interval: 0, tolerance: 0, full_at: AtomicU64::new(0) }.per_minute(60))
    }

    /// Sets how many requests a minute may be raised. Default 60.
    ///
    /// ```
    /// use obs_core::telemetry::DebugKey;
    ///
    /// let key = DebugKey::new("a secret of at least thirty-two bytes")?.per_minute(60);
    /// # let _ = key;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn per_minute(mut self, requests: u32) -> Self {
        const MINUTE: u64 = 60_000_000_000;
        self.interval = MINUTE / u64::from(requests.max(1));
        self.tolerance = if requests == 0 { 0 } else { MINUTE };
        self
    }

    /// The token that asks for lines down to `level`, until `expires`, of the service `scope` or,
    /// with `*`, of all.
    #[must_use]
    pub fn sign(&self, level: LevelFilter, expires: Timestamp, scope: &str) -> String {
        let level = if level >= LevelFilter::TRACE { "trace" } else { "debug" };
        let claims = format!("{level}.{}.{scope}", expires.unix_seconds());
        let signature = self.mac.clone().chain_update(&claims).finalize().into_bytes();
        let mut token = claims + ".";
        for byte in signature {
            token.push_str(&format!("{byte:02x}"));
        }
        token
    }

    /// The level a token asks for, if it may. Does not touch the budget.
    ///
    /// # Errors
    /// [`DebugRefusal`] says why it may not.
    pub fn check(
        &self,
        token: &str,
        now: Timestamp,
        service: &str,
    ) -> Result<LevelFilter, DebugRefusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(DebugRefusal::Malformed);
        }
        let (claims, signature) = token.rsplit_once('.').ok_or(DebugRefusal::Malformed)?;
        let signature = decode(signature).ok_or(DebugRefusal::Malformed)?;
        // Nothing of the claims is looked at before they are known to be ours. Constant time.
        let mac = self.mac.clone().chain_update(claims);
        mac.verify_slice(&signature).map_err(|_| DebugRefusal::Signature)?;
        let mut parts = claims.splitn(3, '.');
        let (Some(level), Some(expires), Some(scope)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(DebugRefusal::Malformed);
        };
        let expires: u64 = expires.parse().map_err(|_| DebugRefusal::Malformed)?;
        let latest = now.unix_seconds().saturating_add(MAX_VALIDITY.as_secs());
        if expires <= now.unix_seconds() || expires > latest {
            return Err(DebugRefusal::Expired);
        }
        if scope != "*" && scope != service {
            return Err(DebugRefusal::Scope);
        }
        match level {
            "debug" => Ok(LevelFilter::DEBUG),
            "trace" => Ok(LevelFilter::TRACE),
            _ => Err(DebugRefusal::Malformed),
        }
    }

    /// Takes one request from the budget.
    pub(super) fn spend(&self, now: Instant) -> Result<(), DebugRefusal> {
        let now = now.as_nanos();
        // Relaxed: the value stands alone, and the update is atomic by itself.
        self.full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                let next = full_at.max(now) + self.interval;
                (next <= now.saturating_add(self.tolerance)).then_some(next)
            })
            .map(drop)
            .map_err(|_| DebugRefusal::Budget)
    }
}

fn decode(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(bytes)
}

impl fmt::Debug for DebugKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DebugKey(hidden)")
    }
}

/// Why a token does not raise the level.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::telemetry::{DebugKey, DebugRefusal};
///
/// let key = DebugKey::new("a secret of at least thirty-two bytes")?;
/// let refusal = key.check("nonsense", Clock::system().wall(), "orders").unwrap_err();
/// assert_eq!(refusal, DebugRefusal::Malformed);
/// assert_eq!(refusal.as_str(), "malformed");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DebugRefusal {
    /// It does not have the form of one.
    Malformed,
    /// It was not signed with this key.
    Signature,
    /// Its time is over, or longer than an hour.
    Expired,
    /// It is meant for another service.
    Scope,
    /// The budget of the minute is spent.
    Budget,
    /// This service has no key.
    NoKey,
}

impl DebugRefusal {
    /// The name used in lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Scope => "scope",
            Self::Budget => "budget",
            Self::NoKey => "no_key",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_767_225_600_000);

    fn key() -> DebugKey {
        DebugKey::new([7; 32]).unwrap()
    }

    fn in_seconds(seconds: u64) -> Timestamp {
        NOW.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_holds_for_its_time_and_its_service() {
        let token = key().sign(LevelFilter::TRACE, in_seconds(60), "orders");
        assert_eq!(key().check(&token, NOW, "orders"), Ok(LevelFilter::TRACE));
        assert_eq!(key().check(&token, NOW, "payment"), Err(DebugRefusal::Scope));
        assert_eq!(key().check(&token, in_seconds(60), "orders"), Err(DebugRefusal::Expired));
        let other = DebugKey::new([8; 32]).unwrap();
        assert_eq!(other.check(&token, NOW, "orders"), Err(DebugRefusal::Signature));
        let too_long = key().sign(LevelFilter::DEBUG, in_seconds(3_601), "*");
        assert_eq!(key().check(&too_long, NOW, "orders"), Err(DebugRefusal::Expired));
    }

    #[test]
    fn the_budget_is_spent_and_refills() {
        let manual = ManualClock::default();
        let (key, clock) = (key().per_minute(2), manual.clock());
        assert_eq!(key.spend(clock.now()), Ok(()));
        assert_eq!(key.spend(clock.now()), Ok(()));
        assert_eq!(key.spend(clock.now()), Err(DebugRefusal::Budget));
        manual.advance(Duration::from_secs(30));
        assert_eq!(key.spend(clock.now()), Ok(()));
        assert_eq!(key.per_minute(0).spend(clock.now()), Err(DebugRefusal::Budget));
    }

    #[test]
    fn a_short_secret_is_refused_and_not_shown() {
        let error = DebugKey::new("hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert!(!format!("{:?}", key()).contains('7'));
    }

    proptest! {
        #[test]
        fn whatever_is_changed_in_a_token_it_holds_no_more(
            at in 0_usize..100, byte in any::<char>(), junk in any::<String>()
        ) {
            prop_assert!(key().check(&junk, NOW, "orders").is_err());
            let token = key().sign(LevelFilter::DEBUG, in_seconds(60), "orders");
            let mut characters: Vec<char> = token.chars().collect();
            let at = at % characters.len();
            characters[at] = byte;
            let changed: String = characters.into_iter().collect();
            // The digits of the signature may change their case.
            let same = changed.eq_ignore_ascii_case(&token) && at > token.rfind('.').unwrap();
            prop_assert!(changed == token || same || key().check(&changed, NOW, "orders").is_err());
        }
    }
}
