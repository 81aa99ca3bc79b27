//! The service's health: its dependencies, the controls that count, and whether it drains.

mod background;
mod builder;
mod dependency;
mod event;
mod slot;
mod state;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use obs_core::control::{Health, Kind, Registry};

use crate::access::Access;
use crate::check::Heartbeat;
pub use background::Running;
pub use builder::HealthBuilder;
pub use dependency::Dependency;
pub use event::{Event, Observer};
pub(crate) use slot::Reading;
use slot::{Change, Slot};
use state::Status;

/// The health of one service; clones share it.
///
/// Probes read results that a background task keeps up to date; they never wait for a dependency.
///
/// ```
/// use obs_core::control::Health;
/// use obs_health::{Dependency, HealthRegistry};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let health = HealthRegistry::builder("orders")
///     .dependency(Dependency::required("database", || async { Ok::<(), std::io::Error>(()) }))
///     .dependency(Dependency::optional("cache", || async { Err("connection refused") }))
///     .build()?;
/// assert_eq!(health.readiness(), Health::Fail, "the database was not asked yet");
///
/// let running = health.start(); // asks each dependency at its interval, until dropped
/// health.refresh().await; // or ask them all now
/// assert_eq!(health.readiness(), Health::Pass, "one refused connection is no outage yet");
/// # drop(running);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct HealthRegistry(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) identity: Identity,
    pub(crate) access: Access,
    pub(crate) degraded_status: StatusCode,
    pub(crate) controls: Registry,
    slots: Vec<Arc<Slot>>,
    watched: Vec<WatchedControl>,
    heartbeat: Heartbeat,
    liveness_time_limit: Duration,
    is_draining: AtomicBool,
    observer: Box<dyn Observer>,
    seed: u64,
}

/// Who answers, for the documents.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) service: String,
    pub(crate) version: Option<String>,
    pub(crate) pod_name: Option<String>,
    pub(crate) node_name: Option<String>,
}

/// A control whose health counts.
#[derive(Clone, Debug)]
struct WatchedControl {
    kind: Kind,
    name: String,
    is_required: bool,
}

impl HealthRegistry {
    /// Starts the configuration of the health of `service`.
    pub fn builder(service: impl Into<String>) -> HealthBuilder {
        HealthBuilder::new(service.into())
    }

    /// Whether the service can take requests.
    ///
    /// `Fail` while it drains, and while something required is down or was not seen up yet; `Warn`
    /// while something optional is down or something required works with less than it should.
    #[must_use]
    pub fn readiness(&self) -> Health {
        if self.is_draining() {
            return Health::Fail;
        }
        let dependencies = self.0.slots.iter().map(|slot| weigh_status(slot));
        let controls = self.0.watched.iter().map(|watched| self.weigh_control(watched));
        dependencies.chain(controls).max().unwrap_or(Health::Pass)
    }

    /// Whether the runtime still runs tasks; never looks at a dependency.
    #[must_use]
    pub fn liveness(&self) -> Health {
        if self.0.heartbeat.delay() > self.0.liveness_time_limit {
            Health::Fail
        } else {
            Health::Pass
        }
    }

    /// Starts to refuse readiness; cannot be taken back. A second call does nothing.
    ///
    /// ```
    /// use obs_core::control::Health;
    /// use obs_health::HealthRegistry;
    ///
    /// let health = HealthRegistry::builder("orders").build()?;
    /// health.begin_drain();
    /// assert!(health.is_draining());
    /// // It is told to go, not to be killed.
    /// assert_eq!(health.readiness(), Health::Fail);
    /// assert_eq!(health.liveness(), Health::Pass);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn begin_drain(&self) {
        // Release: whoever sees the flag also sees what was done before it was set.
        if !self.0.is_draining.swap(true, Ordering::AcqRel) {
            tracing::info!("drain began");
            self.0.observer.on_event(&Event::DrainBegan);
        }
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Acquire)
    }

    /// Runs the check of every dependency whose circuit is not open, all at the same time, and
    /// returns when the last has answered or passed its time limit.
    ///
    /// A check that is under way is not run a second time. Cancel-safe: what has answered by then
    /// is recorded.
    pub async fn refresh(&self) {
        let mut runs = tokio::task::JoinSet::new();
        for slot in &self.0.slots {
            let (registry, slot) = (self.clone(), slot.clone());
            runs.spawn(async move { registry.run(&slot).await });
        }
        while runs.join_next().await.is_some() {}
    }

    /// Starts the background: each check at its interval, and the heartbeat behind liveness.
    ///
    /// Both end when the returned guard is dropped.
    ///
    /// # Panics
    /// When it is called outside a Tokio runtime.
    pub fn start(&self) -> Running {
        background::start(self)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Every dependency as it reads now, and every control that counts.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        let dependencies = self.0.slots.iter().map(|slot| slot.reading());
        let controls = self.0.watched.iter().map(|watched| self.control_reading(watched));
        dependencies.chain(controls).collect()
    }

    pub(crate) fn report(&self, event: &Event<'_>) {
        self.0.observer.on_event(event);
    }

    async fn run(&self, slot: &Slot) {
        if let Some(change) = slot.run().await {
            self.announce(slot, &change);
        }
    }

    fn announce(&self, slot: &Slot, change: &Change) {
        let name = &*slot.dependency.name;
        let word = |health: Option<Health>| health.map_or("starting", Health::as_str);
        let (from, to) = (word(change.from), word(change.to));
        let output = change.output.as_deref();
        if change.to == Some(Health::Pass) {
            tracing::info!(dependency = name, from, to, "dependency changed");
        } else {
            tracing::warn!(dependency = name, from, to, output, "dependency changed");
        }
        self.0.observer.on_event(&Event::DependencyChanged {
            name,
            is_required: slot.dependency.is_required,
            from: change.from,
            to: change.to,
            output,
        });
    }

    fn control_health(&self, watched: &WatchedControl) -> Health {
        let control = self.0.controls.get(watched.kind, &watched.name);
        control.map_or(Health::Pass, |control| control.health())
    }

    fn weigh_control(&self, watched: &WatchedControl) -> Health {
        weigh(self.control_health(watched), watched.is_required)
    }

    fn control_reading(&self, watched: &WatchedControl) -> Reading {
        Reading {
            name: watched.name.as_str().into(),
            component_type: watched.kind.as_str(),
            is_required: watched.is_required,
            status: self.control_health(watched).as_str(),
            circuit: "closed",
            last: None,
        }
    }
}

impl fmt::Debug for HealthRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthRegistry")
            .field("service", &self.0.identity.service)
            .field("dependencies", &self.0.slots)
            .field("is_draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}

fn weigh_status(slot: &Slot) -> Health {
    match (slot.status(), slot.dependency.is_required) {
        (Status::Starting, true) => Health::Fail,
        (Status::Starting, false) => Health::Pass,
        (Status::Known(health), is_required) => weigh(health, is_required),
    }
}

/// What is optional degrades the service at most.
fn weigh(health: Health, is_required: bool) -> Health {
    if is_required { health } else { health.min(Health::Warn) }
}
