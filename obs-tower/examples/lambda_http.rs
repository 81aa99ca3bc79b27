//! An HTTP service as a Lambda function behind an API Gateway. As `src/main.rs` of a package:
//! `cargo lambda watch`, then `curl -i http://localhost:9000/orders/7`.

use axum::Router;
use axum::routing::get;
use lambda_http::Error;
use obs_core::telemetry::Telemetry;
use obs_tower::axum::{Path, Record, not_found};
use obs_tower::lambda::LambdaHttpLayer;
use obs_tower::observe::ObserveLayer;

async fn order(record: Record, Path(id): Path<u32>) -> String {
    record.record("order_id", id);
    format!("order {id}\n")
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Error> {
    let telemetry = Telemetry::init("orders")?;
    let lambda = LambdaHttpLayer::new(telemetry.clone());
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .fallback(not_found)
        // Inside: cold start and time left are part of the request's record.
        .layer(lambda.clone())
        .layer(ObserveLayer::new(telemetry));
    // Outermost: what the record leaves is written before the answer.
    lambda_http::run(lambda.flushing(app)).await
}
