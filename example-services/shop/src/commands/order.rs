use std::path::Path;

use serde_json::{Value, json};

use crate::client::Client;
use crate::finding::{Finding, Found};
use crate::paint::Paint;
use crate::record::{Files, Line, Span, lines, waterfall};
use crate::run_file::url;

/// What is kept about an order in lines and spans.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) lines: Vec<Line>,
    pub(super) spans: Vec<Span>,
    /// The correlation id of the order, if a line tells it.
    pub(super) correlation_id: Option<String>,
    /// The trace in which it was placed, if a span tells it.
    pub(super) trace_id: Option<String>,
}

impl Kept {
    /// Finds a line that names the order, then all lines of its correlation id and all spans of its
    /// trace; requests that only looked at the order later have ids of their own.
    pub(super) fn find(data: &Path, id: &str) -> std::io::Result<Self> {
        let files = Files::under(data);
        let names_it = format!("\"order_id\":\"{id}\"");
        let naming = files.lines(|text| text.contains(&names_it))?;
        let placed = naming.iter().find(|line| lines::text(line, "route").ends_with("/orders"));
        let told = placed.or(naming.first());
        let text = |key: &str| {
            told.map(|line| lines::text(line, key).to_owned()).filter(|text| !text.is_empty())
        };
        let (correlation_id, trace_id) = (text("correlation_id"), text("trace_id"));
        let all = match &correlation_id {
            Some(correlation_id) => {
                let of_id = format!("\"correlation_id\":{}", Value::from(correlation_id.as_str()));
                files.lines(|text| text.contains(&of_id))?
            }
            None => naming,
        };
        let spans = match &trace_id {
            Some(trace_id) => files.spans(|span| span.trace_id == *trace_id)?,
            None => Vec::new(),
        };
        Ok(Self { lines: all, spans, correlation_id, trace_id })
    }
}

/// Everything that is known about an order: state, history, trace and lines.
pub(super) async fn show(data: &Path, id: &str, paint: Paint) -> Found {
    let orders = Client::new(&url(data, "order")?);
    let order = orders.get(&format!("/orders/{id}")).await?;
    let history = orders.get(&format!("/orders/{id}/history")).await?;
    let kept = Kept::find(data, id)?;
    let mut text = format!("{}\n\n{order:#}\n", paint.heading(format!("Order {id}")));
    text.push_str(&format!("\n{}\n\n{}", paint.heading("Its history"), steps(&history)));
    let spans: Vec<&Span> = kept.spans.iter().collect();
    text.push_str(&format!("\n{}\n\n", paint.heading("Its trace")));
    text.push_str(&waterfall::waterfall(&spans, paint));
    let rows: Vec<&Line> = kept.lines.iter().collect();
    text.push_str(&format!("\n{}\n\n", paint.heading("Its lines")));
    text.push_str(&lines::rows(&rows, paint));
    let json = json!({
        "order": order,
        "history": history["history"],
        "correlation_id": kept.correlation_id,
        "trace_id": kept.trace_id,
        "spans": kept.spans,
        "lines": kept.lines.iter().map(Line::to_value).collect::<Vec<_>>(),
    });
    Ok(Finding { good: true, json, text })
}

fn steps(history: &Value) -> String {
    let steps = history["history"].as_array().cloned().unwrap_or_default();
    let began = steps.first().and_then(|step| step["at_ms"].as_u64()).unwrap_or_default();
    let row = |step: &Value| {
        let after = step["at_ms"].as_u64().unwrap_or_default().saturating_sub(began);
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        format!("  +{after:>6} ms  {:<16} {}\n", text("to"), text("reason"))
    };
    steps.iter().map(row).collect()
}
