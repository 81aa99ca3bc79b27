//! The example of obs-core's README.

use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::telemetry::Telemetry;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::init("orders")?;

    let request = RequestContext::builder(&telemetry).build();
    request.set_tenant_id("acme");
    let entered = request.enter();
    tracing::info!(order_id = 7, paid_with = "4111 1111 1111 1111", "order read");
    drop(entered);

    telemetry.shutdown(Duration::from_secs(5));
    Ok(())
}
