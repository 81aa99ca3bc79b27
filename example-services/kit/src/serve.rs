//! Serves an app on a socket until it is told to drain.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An app being served; dropping it drains it without waiting.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

/// Serves `app` on `listener`, in a task of its own.
///
/// # Errors
/// When the listener has no address.
pub fn serve(listener: TcpListener, app: Router) -> io::Result<Serving> {
    let address = listener.local_addr()?;
    // Answers are small and written at once: waiting for more only delays them.
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    let (stop, stopped) = oneshot::channel();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let serve = axum::serve(listener, app).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let task = tokio::spawn(serve.into_future());
    Ok(Serving { address, stop, task })
}

impl Serving {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connections, lets requests that have begun finish, and returns; `false` when
    /// some were still going on after `limit`.
    pub async fn drain(self, limit: Duration) -> bool {
        let _ = self.stop.send(());
        tokio::time::timeout(limit, self.task).await.is_ok()
    }
}
