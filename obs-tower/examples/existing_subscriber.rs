//! A process that has a `tracing` subscriber already: the suite's layer joins it.
//! `cargo run --example existing_subscriber` prints the event twice, once by each.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use obs_core::subscriber::ObsLayer;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tracing_subscriber::prelude::*;

async fn place(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    tracing::info!(items = 3, "placed");
    Ok(Response::new(Full::new(Bytes::from_static(b"ok"))))
}

/// Serves one request, in which the event happens.
pub(crate) async fn serve(telemetry: Telemetry) -> Result<Bytes, Box<dyn std::error::Error>> {
    let observe = ObserveLayer::new(telemetry);
    let service = ServiceBuilder::new().layer(observe).service(service_fn(place));
    let response = service.oneshot(Request::post("/orders").body(())?).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(ObsLayer::new())
        .try_init()?;
    let telemetry = Telemetry::builder("orders").build()?;
    serve(telemetry.clone()).await?;
    telemetry.shutdown(Duration::from_secs(1));
    Ok(())
}
