use std::path::Path;

use serde_json::{Value, json};
use shop_contracts::Pattern;
use shop_domain::port::messaging::EventBus;

use crate::client::Fault;
use crate::finding::{Finding, Found};
use crate::running::messaging;

/// JSON in the argument itself, or in the file that it names after an `@`.
fn document(argument: &str) -> Result<Value, Fault> {
    let text = match argument.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?,
        None => argument.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| format!("{argument} is not JSON: {error}").into())
}

/// Whether an event matches a pattern, and if not, what keeps it from matching.
pub(super) fn test_pattern(pattern: &str, event: &str) -> Found {
    let pattern = Pattern::parse(&document(pattern)?)?;
    let because = pattern.mismatch(&document(event)?);
    let text = match &because {
        None => "  the event matches\n".to_owned(),
        Some(because) => format!("  the event does not match: {because}\n"),
    };
    let json = json!({"matches": because.is_none(), "because": because});
    Ok(Finding { good: because.is_none(), json, text })
}

/// Which rules an archived event matched, and why the others did not.
pub(super) async fn explain(data: &Path, event_id: &str) -> Found {
    let bus = messaging::open(data)?.bus();
    let verdicts = bus.explain(event_id).await?;
    let verdicts =
        verdicts.ok_or_else(|| format!("there is no event {event_id} in the archive"))?;
    let mut text = String::new();
    for verdict in &verdicts {
        let what = match &verdict.because {
            None => format!("matched, went to {}", verdict.targets.join(", ")),
            Some(because) => format!("did not match: {because}"),
        };
        text.push_str(&format!("  {:<20} {what}\n", verdict.rule));
    }
    Ok(Finding { good: true, json: json!({"event_id": event_id, "rules": verdicts}), text })
}
