//! A plain tower service, no axum, that answers as gRPC does: 200, and the true status in the
//! trailers. Its record says what the trailers say.
//! `cargo run --example grpc_trailers` prints the line.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use obs_core::telemetry::Telemetry;
use obs_tower::observe::{ObserveLayer, Route};
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::init("greeter")?;
    let observe = ObserveLayer::builder(telemetry.clone())
        .route(|_| Some(Route::from("/greet.Greeter/SayHello")))
        .build()?;
    let service = ServiceBuilder::new().layer(observe).service(service_fn(async |_| {
        let trailers = async {
            Some(Ok::<_, Infallible>(HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("5"),
            )])))
        };
        let body = Full::new(Bytes::from_static(b"\0\0\0\0\0")).with_trailers(trailers);
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert("content-type", kind);
        Ok::<_, Infallible>(response)
    }));
    let request = Request::post("/greet.Greeter/SayHello").body(())?;
    let response = service.oneshot(request).await?;
    response.into_body().collect().await?;
    telemetry.shutdown(Duration::from_secs(1));
    Ok(())
}
