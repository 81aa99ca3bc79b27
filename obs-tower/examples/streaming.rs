//! A stream without an end: its record does not wait for one, but is written after three seconds,
//! with `held`. `cargo run --features axum --example streaming`, then
//! `curl -N http://127.0.0.1:8080/ticks`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http_body::Frame;
use obs_core::config::ConfigError;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use tokio::time::Interval;

/// A tick each second.
struct Ticks(Interval);

impl http_body::Body for Ticks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        ready!(self.0.poll_tick(context));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"tick\n")))))
    }
}

pub(crate) fn app(telemetry: Telemetry) -> Result<Router, ConfigError> {
    let observe =
        ObserveLayer::builder(telemetry).max_hold(Some(Duration::from_secs(3))).build()?;
    let ticks = || async { Body::new(Ticks(tokio::time::interval(Duration::from_secs(1)))) };
    Ok(Router::new().route("/ticks", get(ticks)).layer(observe))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::init("ticker")?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app(telemetry)?).await?;
    Ok(())
}
