use std::path::Path;

use serde_json::{Value, json};

use crate::finding::{Finding, Found};
use crate::paint::Paint;
use crate::record::{Files, lines};

/// Every line of every service with a correlation id.
pub(super) fn logs(data: &Path, correlation_id: &str, paint: Paint) -> Found {
    let quoted = Value::from(correlation_id).to_string();
    let of_id = format!("\"correlation_id\":{quoted}");
    let found = Files::under(data).lines(|text| text.contains(&of_id))?;
    let found = lines::of(&found, correlation_id);
    let text = if found.is_empty() {
        format!("  no line has the correlation id {correlation_id}\n")
    } else {
        lines::rows(&found, paint)
    };
    let json: Vec<Value> = found.iter().map(|line| line.to_value()).collect();
    Ok(Finding { good: !found.is_empty(), json: json!(json), text })
}
