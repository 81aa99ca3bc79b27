//! Starts services, waits until they are ready, drains them.

mod addresses;
mod apps;
mod background;
mod error;
pub(crate) mod messaging;
mod telemetry;
pub(crate) mod workflow;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::control::Health;
use obs_core::environment::Environment;
use obs_core::output::{Ledger, Output};
use obs_core::telemetry::Telemetry;
use obs_core::trace::SpanExporter;
use obs_emf::aggregate::Flusher;
use obs_health::HealthRegistry;
use obs_tower::observe::ObserveLayer;
use shop_kit::serve::Serving;

use self::addresses::Addresses;
use self::background::Background;
pub use self::error::StartError;
pub use self::telemetry::NAMESPACE;
use crate::lock::DataLock;
use crate::name::{Name, Ports};
use crate::settings::Settings;

/// How long requests that have begun may take to finish when the services stop.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// How long lines and spans may take to get out after that.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Makes the span exporter of a service, around the one that the environment asks for.
pub type SpanExporters =
    Arc<dyn Fn(Name, Option<Box<dyn SpanExporter>>) -> Box<dyn SpanExporter> + Send + Sync>;

/// What to start, and with what.
pub struct Plan {
    /// Where the services keep their data; created if need be.
    pub data: PathBuf,
    /// Which ports they listen on.
    pub ports: Ports,
    /// Which services to start.
    pub services: Vec<Name>,
    /// Where their lines go.
    pub output: Output,
    /// Where their spans go; `None` for where the environment says.
    pub span_exporters: Option<SpanExporters>,
    /// The environment.
    pub environment: Environment,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("data", &self.data)
            .field("ports", &self.ports)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

/// Services that run.
#[derive(Debug)]
pub struct Running {
    services: BTreeMap<Name, Service>,
    background: Background,
    output: Output,
    /// Nobody else may use the data until it is closed.
    _lock: DataLock,
}

#[derive(Debug)]
struct Service {
    serving: Serving,
    telemetry: Telemetry,
    observer: ObserveLayer,
    health: HealthRegistry,
    /// Dropped, it ends the checks.
    _checks: obs_health::Running,
    /// Dropped, it ends the thread that carries out counters.
    _metrics: Flusher,
}

impl Running {
    /// Starts the services of `plan` and returns once all are ready.
    ///
    /// # Errors
    /// [`StartError`] says which service could not be started, and why; nothing runs then.
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        let settings = Settings::from_environment(&plan.environment)?;
        std::fs::create_dir_all(&plan.data).map_err(StartError::data(&plan.data))?;
        let lock = DataLock::take(&plan.data, &plan.services).map_err(StartError::locked)?;
        let addresses = Addresses::bind(&plan, &settings).await?;
        let mut running = Self {
            services: BTreeMap::new(),
            background: Background::default(),
            output: plan.output.clone(),
            _lock: lock,
        };
        let broker = messaging::open(&plan.data)?;
        let uses_workflow = |name: &Name| matches!(name, Name::Order | Name::Payment);
        let workflow = plan.services.iter().any(uses_workflow);
        let workflow = workflow.then(|| workflow::open(&plan.data)).transpose()?;
        let shared = apps::Shared { plan: &plan, settings, addresses, broker, workflow };
        for name in shared.addresses.to_start() {
            let service = apps::start(&shared, name, &mut running.background);
            running.services.insert(name, service.await?);
        }
        for (name, service) in &running.services {
            if service.health.readiness() == Health::Fail {
                return Err(StartError::not_ready(*name));
            }
        }
        Ok(running)
    }

    /// The base URL of each service.
    #[must_use]
    pub fn urls(&self) -> BTreeMap<&'static str, String> {
        let url = |service: &Service| format!("http://{}", service.serving.address());
        self.services.iter().map(|(name, service)| (name.as_str(), url(service))).collect()
    }

    /// The telemetry of a service that runs here.
    #[must_use]
    pub fn telemetry(&self, name: Name) -> Option<&Telemetry> {
        self.services.get(&name).map(|service| &service.telemetry)
    }

    /// Stops: first nobody is ready any more, then those that call others finish before those
    /// they call, then telemetry gets out.
    ///
    /// Takes [`DRAIN_LIMIT`] for requests and [`FLUSH_LIMIT`] for telemetry at most.
    pub async fn stop(mut self) -> Stopped {
        let clock = Clock::system();
        let deadline = clock.now() + DRAIN_LIMIT;
        for service in self.services.values() {
            let _its_lines_are_ours = service.telemetry.enter();
            service.health.begin_drain();
        }
        // What messages cause is done first: it calls services that still answer.
        let mut finished = self.background.finish(deadline - clock.now()).await;
        let mut telemetry = Vec::new();
        for name in Name::DRAIN_ORDER {
            let Some(service) = self.services.remove(&name) else { continue };
            finished &= service.serving.drain(deadline - clock.now()).await;
            // What is still going on ends here, as far as its record is concerned.
            service.observer.shutdown();
            telemetry.push(service.telemetry);
        }
        let flushed = tokio::task::spawn_blocking(move || flush(&telemetry)).await;
        Stopped { finished, flushed: flushed.unwrap_or(false), lines: self.output.ledger() }
    }
}

/// All services share one output; those that are flushed later find less time, and less to do.
fn flush(telemetry: &[Telemetry]) -> bool {
    let clock = Clock::system();
    let deadline = clock.now() + FLUSH_LIMIT;
    let flushed: Vec<_> =
        telemetry.iter().map(|one| one.shutdown(deadline - clock.now()).complete).collect();
    flushed.into_iter().all(|complete| complete)
}

/// How services stopped.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Whether every request that had begun was finished.
    pub finished: bool,
    /// Whether all lines and spans got out.
    pub flushed: bool,
    /// What became of the lines.
    pub lines: Ledger,
}
