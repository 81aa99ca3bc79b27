//! An axum service before it is observed: where the guide for existing services begins.

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route("/orders/{id}", get(order));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}

async fn order(Path(id): Path<u64>) -> Json<u64> {
    Json(id)
}
