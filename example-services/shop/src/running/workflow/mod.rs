//! The order workflow: `contracts/order-workflow.asl.json`, run on SQLite.
//!
//! The order service starts an execution for each `order.created` and drives them all; the payment
//! service answers the tasks that wait for it. In processes of their own they have the same file
//! open.

mod runner;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::id::IdGenerator;
use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::{MessageFields, embedded};
use obs_core::telemetry::Telemetry;
use serde_json::Value;
use shop_domain::id::OrderId;
use shop_domain::port::messaging::Message;
use shop_domain::port::{Start, Workflow};
use shop_kit::messaging::HandleError;
use shop_kit::observe::about_order;
use shop_workflow::{Engine, Machine};

pub(super) use self::runner::{Functions, Runner};
use super::{StartError, messaging};

/// The name of the state machine.
pub(crate) const NAME: &str = "shopfast-order-workflow";

/// How long to leave the file alone when it cannot be used.
const PAUSE: Duration = Duration::from_secs(1);

/// The file of the executions, under the data folder.
pub(crate) fn file(data: &Path) -> PathBuf {
    data.join("workflow.db")
}

/// Opens the executions of the data folder `data`.
pub(crate) fn open(data: &Path) -> Result<Engine, StartError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        StartError::new("the workflow cannot be started".to_owned(), error)
    };
    let machine =
        Machine::parse(shop_contracts::ORDER_WORKFLOW).map_err(|error| failed(error.into()))?;
    Engine::open(&file(data), NAME, machine, messaging::time(), IdGenerator::system())
        .map_err(|error| failed(error.into()))
}

/// Starts the execution of an order, named after it, with what `order.created` tells.
///
/// May be repeated: an execution of that name is left as it is.
#[tracing::instrument(name = "workflow.start", skip_all)]
pub(super) async fn start(workflow: &dyn Workflow, created: &Message) -> Result<(), HandleError> {
    let mut input: Value = serde_json::from_str(&created.body)?;
    let id: OrderId = serde_json::from_value(input["order_id"].clone())?;
    about_order(&id, None);
    let mut fields = MessageFields::default();
    RequestContext::with_current(|context| context.inject(&mut fields, &TrustPolicy::message()));
    if let Value::Object(members) = &mut input {
        embedded::insert(members, &fields);
    }
    let trace_header = fields.trace_header().map(str::to_owned);
    let start = Start { name: id.as_str().to_owned(), input, trace_header };
    let new = workflow.start(&start).await?;
    tracing::info!(execution = start.name, repeated = !new, "execution started");
    Ok(())
}

/// Drives all executions until `stop` completes.
pub(super) async fn drive(
    engine: Engine,
    runner: Runner,
    telemetry: Telemetry,
    stop: impl Future<Output = ()>,
) {
    let runner = Arc::new(runner);
    let forever = async {
        loop {
            if let Err(error) = engine.drive(runner.clone()).await {
                tracing::warn!(%error, "executions are not driven on");
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = telemetry.scope(forever) => {}
    }
}
