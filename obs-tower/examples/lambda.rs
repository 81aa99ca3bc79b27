//! A Lambda function. As `src/main.rs` of a package: `cargo lambda watch`, then
//! `cargo lambda invoke --data-ascii '{"width":100}'`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use obs_core::context::RequestContext;
use obs_core::telemetry::Telemetry;
use obs_tower::lambda::LambdaLayer;
use serde_json::{Value, json};
use tower::Layer;

async fn resize(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let width = event.payload["width"].as_u64().ok_or("width is missing")?;
    RequestContext::with_current(|context| context.record("width", width));
    Ok(json!({ "resized_to": width }))
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Error> {
    let telemetry = Telemetry::init("resize")?;
    lambda_runtime::run(LambdaLayer::new(&telemetry)?.layer(service_fn(resize))).await
}
