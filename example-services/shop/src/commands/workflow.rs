use std::path::Path;

use serde_json::{Value, json};
use shop_domain::port::{HistoryEvent, Workflow};

use crate::finding::{Finding, Found};
use crate::running::workflow;

/// The most events of an execution that are shown.
const MOST: usize = 25_000;

/// What happened in the execution of an order's workflow, in the words of Step Functions.
pub(super) async fn history(data: &Path, id: &str) -> Found {
    if !workflow::file(data).exists() {
        return Err(format!("{} has no executions", data.display()).into());
    }
    let workflow = workflow::open(data)?;
    let execution = workflow.describe(id).await?;
    let execution = execution.ok_or_else(|| format!("there is no execution {id}"))?;
    let events = workflow.history(id, 0, MOST).await?;
    let mut text = format!("  {} {} is {}\n\n", workflow.name(), id, execution.status.as_str());
    let rows = events.iter().map(|event| row(event, execution.started_at_ms));
    text.extend(rows);
    let json = json!({
        "workflow": workflow.name(),
        "execution": id,
        "status": execution.status.as_str(),
        "output": execution.output,
        "error": execution.error,
        "cause": execution.cause,
        "events": events,
    });
    Ok(Finding { good: true, json, text })
}

fn row(event: &HistoryEvent, began_ms: u64) -> String {
    let after = event.at_ms.saturating_sub(began_ms);
    let detail = |name: &str| event.details.get(name).and_then(Value::as_str);
    let what = detail("name").or(detail("error")).or(detail("resource")).unwrap_or_default();
    format!(
        "  +{after:>6} ms  {:>3} <- {:>3}  {:<20} {what}\n",
        event.id, event.previous_id, event.kind
    )
}
