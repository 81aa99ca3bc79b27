//! Services on sockets of their own, for tests of what really goes over the wire.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::Service;

/// Bytes that the head of a request may have.
const MAX_HEAD: usize = 4 << 20;

/// One connection to a service that hyper-util serves.
pub(crate) struct Wire {
    pub(crate) client: TcpStream,
    server: JoinHandle<()>,
}

impl Wire {
    pub(crate) async fn to<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let server = tokio::spawn(async move {
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().max_buf_size(MAX_HEAD);
            let service = TowerToHyperService::new(service);
            // How a connection ends is for the tests to say.
            let _ = builder.serve_connection(TokioIo::new(server), service).await;
        });
        Self { client, server }
    }

    pub(crate) async fn send(&mut self, request: &[u8]) {
        // A server may answer and close before it has read everything.
        let _ = self.client.write_all(request).await;
    }

    /// Reads until what was read contains `text`.
    pub(crate) async fn read_until(&mut self, text: &str) -> String {
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains(text) {
            let read = self.client.read_buf(&mut answer).await.unwrap();
            assert!(read > 0, "the server has closed: {}", String::from_utf8_lossy(&answer));
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Reads to the end, and waits until the server has done with the connection.
    pub(crate) async fn read_to_end(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        let _ = self.client.read_to_end(&mut answer).await;
        self.close().await;
        answer
    }

    /// Hangs up, and waits until the server has done with the connection.
    pub(crate) async fn close(self) {
        drop(self.client);
        self.server.await.unwrap();
    }
}

/// A server of axum's, until it is stopped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(app: axum::Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            axum::serve(listener, app).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { address, stop, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until every connection has ended.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}
