//! A plain tower service, no axum, that answers as gRPC does: 200, and the true status in the
//! trailers. Its record says what the trailers say.
//! `cargo run --example grpc_trailers` prints the line.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use obs_core::telemetry::Telemetry;
use obs_tower::observe::{ObserveLayer, Route};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// The status `NOT_FOUND`, which comes after the message.
async fn trailers() -> Option<Result<HeaderMap, Infallible>> {
    let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("5"));
    Some(Ok(HeaderMap::from_iter([status])))
}

async fn say_hello(
    _: Request<()>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let message = Full::new(Bytes::from_static(b"\0\0\0\0\0"));
    let mut response = Response::new(message.with_trailers(trailers()));
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// Calls the observed service; the answer is what the caller reads in the trailers.
pub(crate) async fn call(telemetry: Telemetry) -> Result<Option<HeaderMap>, Box<dyn Error>> {
    let observe = ObserveLayer::builder(telemetry)
        .route(|_| Some(Route::from("/greet.Greeter/SayHello")))
        .build()?;
    let service = ServiceBuilder::new().layer(observe).service(service_fn(say_hello));
    let request = Request::post("/greet.Greeter/SayHello").body(())?;
    let response = service.oneshot(request).await?;
    // Boxed, since trailers of an `async` block cannot be moved once they are polled.
    Ok(Box::pin(response.into_body()).collect().await?.trailers().cloned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::init("greeter")?;
    call(telemetry.clone()).await?;
    telemetry.shutdown(Duration::from_secs(1));
    Ok(())
}
