//! Commands that look at a shop, or drive one, from outside.

mod events;
mod logs;
mod order;
mod queue;
mod status;
mod stress;
mod verify;
mod workflow;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::args::Inspect;
use crate::finding::Finding;
use crate::load;
use crate::observability;
use crate::paint::Paint;

/// Runs a command and prints what it found on stdout, as JSON if that is wanted.
///
/// The exit code is 0 if all is well, 1 if it is not, or could not be found out.
pub async fn inspect(command: Inspect, data: &Path, as_json: bool) -> ExitCode {
    let paint = Paint::new(!as_json && std::io::stdout().is_terminal());
    let found = match command {
        Inspect::Status => status::status(data).await,
        Inspect::OrderShow(id) => order::show(data, &id, paint).await,
        Inspect::VerifyOrder(id) => verify::order(data, &id).await,
        Inspect::VerifyOrders => verify::orders(data).await,
        Inspect::VerifyInvariants => verify::invariants(data).await,
        Inspect::QueuePeek { queue, limit } => queue::peek(data, &queue, limit).await,
        Inspect::QueueRedrive { queue, limit } => queue::redrive(data, &queue, limit).await,
        Inspect::TestPattern { pattern, event } => events::test_pattern(&pattern, &event),
        Inspect::Explain(id) => events::explain(data, &id).await,
        Inspect::WorkflowHistory(id) => workflow::history(data, &id).await,
        Inspect::Logs(id) => logs::logs(data, &id, paint),
        Inspect::Load(plan) => load::run(data, &plan).await,
        Inspect::Stress(plan) => stress::stress(data, &plan).await,
        Inspect::Observability { folder, place } => observability::write(&folder, &place),
    };
    match found {
        Ok(Finding { good, json, text }) => {
            let told = if as_json { format!("{json:#}\n") } else { text };
            // Whoever has closed the pipe wants no more.
            let _ = std::io::stdout().lock().write_all(told.as_bytes());
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}
