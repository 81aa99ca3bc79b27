//! A layer that changes the body stands inside one that answers with a body of its own.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use obs_tower::bulkhead::{Bulkhead, BulkheadLayer};
use obs_tower::fallback::FallbackLayer;
use tower::{Service, ServiceBuilder, service_fn};

fn main() -> Result<(), obs_core::config::ConfigError> {
    let orders = ServiceBuilder::new()
        .layer(FallbackLayer::value(|_| Ok(Response::new(Body::from("[]")))))
        .layer(BulkheadLayer::new(Bulkhead::builder("orders").build()?).hold_to_end_of_body())
        .service(service_fn(async |_: Request| Ok::<_, std::io::Error>(Response::new(Body::empty()))));
    serve(orders);
    Ok(())
}

fn serve(_: impl Service<Request>) {}
