//! The example of obs-ratelimit's README.
#![allow(clippy::print_stdout, reason = "it is a program for a person to read")]

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use obs_ratelimit::{Key, Limiter, Policy, Quota, RateLimitLayer};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One request a minute for each tenant; a real service would allow more.
    let policy = Policy::builder("tenant", Quota::per_minute(1)).key(Key::tenant()).build()?;
    let layer = RateLimitLayer::new(Limiter::new(policy)?);
    let service = layer.layer(service_fn(async |_request: Request<String>| {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::from("the orders")))
    }));

    for _ in 0..2 {
        let request = Request::get("/orders").header("x-tenant-id", "acme").body(String::new())?;
        let response = service.clone().oneshot(request).await?;
        println!("{}", response.status());
        for name in ["retry-after", "ratelimit", "ratelimit-policy"] {
            if let Some(value) = response.headers().get(name) {
                println!("{name}: {}", value.to_str()?);
            }
        }
        let body = response.into_body().collect().await?.to_bytes();
        println!("{}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
