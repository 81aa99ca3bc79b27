//! `axum::serve` with an orderly end.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::drain::Drain;
use crate::registry::HealthRegistry;

/// Serves `app` until `stop`, then drains as `drain` says: readiness fails, the wait passes, the
/// listener closes, requests in flight end or are cut off at their limit.
///
/// `stop` is any future, such as one that waits for SIGTERM. Returns whether every request in
/// flight ended in time. Dropped before that, it stops accepting and drains nothing.
///
/// Requests have axum's `ConnectInfo<SocketAddr>`, from which lines take `client_address`.
///
/// ```no_run
/// use obs_health::HealthRegistry;
/// use obs_health::drain::Drain;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let health = HealthRegistry::builder("orders").build()?;
/// let app = axum::Router::new().merge(health.router());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let stop = async { drop(tokio::signal::ctrl_c().await) };
/// let ended_in_time = obs_health::serve(listener, app, &health, Drain::ecs(), stop).await?;
/// assert!(ended_in_time);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of accepting connections.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    health: &HealthRegistry,
    drain: Drain,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<bool> {
    let (closing, closed) = oneshot::channel();
    let health = health.clone();
    let wind_down = async move {
        stop.await;
        health.begin_drain();
        tokio::time::sleep(drain.wait_time()).await;
        // Nobody listens any more only when serving has ended already.
        let _ = closing.send(());
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(wind_down).into_future();
    let cut_off = async move {
        if closed.await.is_err() {
            return std::future::pending().await;
        }
        tokio::time::sleep(drain.in_flight_limit()).await;
    };
    tokio::select! {
        result = serving => result.map(|()| true),
        () = cut_off => Ok(false),
    }
}
