//! The time of the system.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use obs_core::clock::Clock;
use shop_domain::port::Time;

/// The longest single sleep: what is further away is looked at again.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The time that a clock tells, waited for with tokio's timers.
#[derive(Clone, Debug)]
pub struct SystemTime(Clock);

impl SystemTime {
    /// The time of `clock`.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self(clock)
    }
}

impl Time for SystemTime {
    fn now_ms(&self) -> u64 {
        self.0.wall().unix_millis()
    }

    fn sleep_until(&self, at_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let time = self.clone();
        Box::pin(async move {
            loop {
                let left = Duration::from_millis(at_ms.saturating_sub(time.now_ms()));
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST)).await;
            }
        })
    }
}
