use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use obs_core::clock::Clock;
use shop_domain::port::Time;

/// The time of the system.
#[derive(Clone, Debug)]
pub(crate) struct WallTime(Clock);

impl Default for WallTime {
    fn default() -> Self {
        Self(Clock::system())
    }
}

impl Time for WallTime {
    fn now_ms(&self) -> u64 {
        self.0.wall().unix_millis()
    }

    fn sleep_until(&self, at_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let wait = Duration::from_millis(at_ms.saturating_sub(self.now_ms()));
        Box::pin(tokio::time::sleep(wait))
    }
}
