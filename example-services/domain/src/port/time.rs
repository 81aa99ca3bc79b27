use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The time, and waiting for it: an argument of everything that lets things fall due.
pub trait Time: Send + Sync + fmt::Debug + 'static {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64;

    /// Completes once [`now_ms`](Time::now_ms) has reached `at_ms`. Cancel-safe.
    fn sleep_until(&self, at_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// `duration` in whole milliseconds, saturating.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
