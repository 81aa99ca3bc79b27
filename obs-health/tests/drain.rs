//! The end of a service, over real sockets.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use obs_health::HealthRegistry;
use obs_health::drain::Drain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    finish: Arc<Notify>,
    serving: tokio::task::JoinHandle<std::io::Result<bool>>,
}

async fn start(drain: Drain) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = HealthRegistry::builder("orders").build().unwrap();
    let finish = Arc::new(Notify::new());
    let finished = finish.clone();
    let slow = get(move || async move {
        finished.notified().await;
        "done"
    });
    let peer = get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string());
    let app = Router::new().route("/slow", slow).route("/peer", peer).merge(health.router());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        obs_health::serve(listener, app, &health, drain, async { drop(stopped.await) }).await
    });
    Server { address, stop: Some(stop), finish, serving }
}

impl Server {
    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Sends a request on a connection of its own.
    async fn send(&self, path: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        connection
    }

    async fn status(&self, path: &str) -> String {
        read(self.send(path).await).await[9..12].to_owned()
    }
}

async fn read(mut connection: TcpStream) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_request_knows_who_is_at_the_other_end() {
    let server = start(Drain::immediate()).await;
    let connection = server.send("/peer").await;
    let ours = connection.local_addr().unwrap().to_string();
    assert!(read(connection).await.ends_with(&ours));
}

#[tokio::test]
async fn health_h6_readiness_fails_first_then_requests_in_flight_end_then_the_door_closes() {
    let drain = Drain::immediate().wait(Duration::from_millis(300)).unwrap();
    let mut server = start(drain).await;
    assert_eq!(server.status("/ready").await, "200");
    let in_flight = server.send("/slow").await;
    // The slow request is being served once a later one on another connection was answered.
    assert_eq!(server.status("/live").await, "200");
    server.stop();
    // During the wait the listener is open: not ready, and still alive.
    while server.status("/ready").await != "503" {}
    assert_eq!(server.status("/live").await, "200");
    // After the wait it is closed, and the request in flight still gets its answer.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.finish.notify_one();
    assert!(read(in_flight).await.ends_with("done"));
    assert!(server.serving.await.unwrap().unwrap(), "every request ended in time");
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_limit() {
    let drain = Drain::immediate().limit_in_flight(Duration::from_millis(100)).unwrap();
    let mut server = start(drain).await;
    let _in_flight = server.send("/slow").await;
    assert_eq!(server.status("/live").await, "200");
    server.stop();
    assert!(!server.serving.await.unwrap().unwrap(), "one request was cut off");
}

#[test]
fn waits_of_more_than_an_hour_are_refused() {
    let error = Drain::alb().wait(Duration::from_secs(3_601)).unwrap_err();
    assert_eq!(error.to_string(), "wait = 3601s: must be at most an hour");
}
