use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{Finding, Found, url};
use crate::args::StressPlan;
use crate::client::Client;

/// Runs a stress scenario through the gateway.
pub(super) async fn stress(data: &Path, plan: &StressPlan) -> Found {
    let StressPlan { name, path, scale, duration_ms } = plan;
    // The scenario ends by itself; the rest is for the way there and back.
    let patience = Duration::from_millis(*duration_ms) + Duration::from_secs(10);
    let gateway = Client::new(&url(data, "gateway")?).patience(patience);
    eprintln!("shop: {name} at scale {scale} for {duration_ms} ms at most");
    let path = format!("{path}?scale={scale}&duration_ms={duration_ms}");
    let answer = gateway.send(Method::POST, &path, &[], None).await?;
    let good = answer.status.is_success();
    let text = format!("  {} {:#}\n", answer.status.as_u16(), answer.body);
    let json = json!({"scenario": name, "status": answer.status.as_u16(), "report": answer.body});
    Ok(Finding { good, json, text })
}
