//! The tasks that keep results up to date.

use std::sync::{Arc, Weak};

use obs_core::context::InCurrentContext;
use tokio::task::JoinSet;

use super::slot::Slot;
use super::{HealthRegistry, Inner};

/// The background of a [`HealthRegistry`]; dropping it ends the checks and the heartbeat.
///
/// ```
/// use obs_health::{HealthRegistry, Running};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let health = HealthRegistry::builder("orders").build()?;
/// let running: Running = health.start();
/// // Checks go on until it is dropped.
/// drop(running);
/// # Ok::<(), obs_core::config::ConfigError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the checks"]
pub struct Running {
    _tasks: JoinSet<()>,
}

pub(super) fn start(registry: &HealthRegistry) -> Running {
    let inner = &registry.0;
    // In the context of whoever starts it, so that its lines carry that service's identity.
    let mut tasks = JoinSet::new();
    tasks.spawn(inner.heartbeat.clone().run());
    for (index, slot) in inner.slots.iter().enumerate() {
        let spread = Spread(inner.seed.wrapping_add(index as u64));
        let keep = keep_up_to_date(Arc::downgrade(inner), slot.clone(), spread);
        tasks.spawn(keep.in_current_context());
    }
    Running { _tasks: tasks }
}

/// Runs one check at its interval, as long as the registry lives.
async fn keep_up_to_date(registry: Weak<Inner>, slot: Arc<Slot>, mut spread: Spread) {
    while let Some(inner) = registry.upgrade() {
        HealthRegistry(inner).run(&slot).await;
        tokio::time::sleep(slot.next_run_in(spread.next())).await;
    }
}

/// Numbers spread evenly over 0..=1, by the SplitMix64 generator.
struct Spread(u64);

impl Spread {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) as f64 / u64::MAX as f64
    }
}
