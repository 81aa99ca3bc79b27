use std::path::Path;
use std::time::Duration;

use http::Method;
use obs_core::clock::Clock;
use serde_json::json;

use crate::args::StressPlan;
use crate::client::{Answer, Client, Fault};
use crate::finding::{Finding, Found};
use crate::run_file::url;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(1);

/// What the cart service takes at most in one request.
const CART_CPU_ITERATIONS: f64 = 5_000_000.0;
const CART_MEMORY_MB: f64 = 256.0;

/// Runs a stress scenario through the gateway.
pub(super) async fn stress(data: &Path, plan: &StressPlan) -> Found {
    let StressPlan { name, scale, duration_ms, .. } = plan;
    let longest = Duration::from_millis(*duration_ms);
    // The scenario ends by itself; the rest is for the way there and back.
    let patience = longest + Duration::from_secs(10);
    let gateway = Client::new(&url(data, "gateway")?).patience(patience);
    eprintln!("shop: {name} at scale {scale} for {} s at most", longest.as_secs());
    let answer = told(gateway.send(Method::POST, &path(plan), &[], None), longest).await?;
    let good = answer.status.is_success();
    let mut text = format!("  {name} {}\n", answer.status);
    for (what, figure) in answer.body.as_object().into_iter().flatten() {
        let figure = figure.as_str().map_or_else(|| figure.to_string(), str::to_owned);
        text.push_str(&format!("  {what:<16} {figure}\n"));
    }
    let json = json!({"scenario": name, "status": answer.status.as_u16(), "report": answer.body});
    Ok(Finding { good, json, text })
}

fn path(plan: &StressPlan) -> String {
    let StressPlan { path, scale, duration_ms, .. } = plan;
    if plan.is_cart() {
        let iterations = (CART_CPU_ITERATIONS * scale) as u64;
        let memory = (CART_MEMORY_MB * scale) as u64;
        return format!(
            "{path}?cpu_iterations={iterations}&memory_mb={memory}&duration_ms={duration_ms}"
        );
    }
    format!("{path}?scale={scale}&duration_ms={duration_ms}")
}

/// Waits for the answer and tells each second how much time is left at most.
async fn told(
    answer: impl Future<Output = Result<Answer, Fault>>,
    longest: Duration,
) -> Result<Answer, Fault> {
    let clock = Clock::system();
    let end = clock.now() + longest;
    let mut ticks = tokio::time::interval(PROGRESS);
    // The first tick comes at once.
    ticks.tick().await;
    tokio::pin!(answer);
    loop {
        tokio::select! {
            answer = &mut answer => return answer,
            _ = ticks.tick() => {
                eprintln!("shop: {} s left at most", (end - clock.now()).as_secs());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_the_cart_is_that_of_its_bounds() {
        let plan = |path, scale| StressPlan { name: "x", path, scale, duration_ms: 7_000 };
        let whole = "/stress?cpu_iterations=5000000&memory_mb=256&duration_ms=7000";
        assert_eq!(path(&plan("/stress", 1.0)), whole);
        let nothing = "/stress?cpu_iterations=0&memory_mb=0&duration_ms=7000";
        assert_eq!(path(&plan("/stress", 0.0)), nothing);
        assert_eq!(path(&plan("/api/x", 0.5)), "/api/x?scale=0.5&duration_ms=7000");
    }
}
