//! The example of obs-health's README.
#![allow(clippy::print_stdout, reason = "it is a program for a person to read")]

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use obs_health::{Dependency, HealthRegistry, HealthService};
use tower::ServiceExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = Dependency::required("database", || async { Ok::<(), std::io::Error>(()) });
    let cache = Dependency::optional("cache", || async {
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
    });
    let health = HealthRegistry::builder("orders")
        .dependency(database)
        .dependency(cache.failure_threshold(1).startup_grace(Duration::ZERO))
        .build()?;
    let _running = health.start();
    health.refresh().await;

    for path in ["/ready", "/live"] {
        let request = Request::get(path).body(String::new())?;
        let response = HealthService::new(health.clone()).oneshot(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("{path}: {status}\n{}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
