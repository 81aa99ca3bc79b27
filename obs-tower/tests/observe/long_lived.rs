//! Streams, server-sent events and upgrades: their line does not wait for an end that may not come.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt, stream};
use obs_tower::observe::ObserveLayer;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::support::Bench;
use crate::wire::Server;

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn upgrade(request: WebSocketUpgrade) -> Response {
    request.on_upgrade(echo)
}

#[tokio::test]
async fn a_websocket_leaves_its_line_when_it_is_opened_and_goes_on_unwatched() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let app = Router::new().route("/echo", get(upgrade)).layer(layer.clone());
    let server = Server::start(app).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let url = format!("ws://{}/echo", server.address);
    let (mut socket, response) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    assert_eq!(response.status(), 101);
    assert!(response.headers().contains_key("x-correlation-id"));

    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
        let line = bench.request_line();
        assert_eq!((&line["status"], &line["outcome"]), (&101.into(), &"success".into()));
        assert_eq!((&line["route"], layer.in_flight().count()), (&"/echo".into(), 0));
    }
    socket.close(None).await.unwrap();
    drop(socket);
    server.stop().await;
    assert_eq!(bench.request_line()["held"], Value::Null, "nothing more is left");
}

#[tokio::test]
async fn server_sent_events_leave_their_line_after_the_longest_hold_and_go_on() {
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let layer = builder.max_hold(Some(Duration::from_secs(5))).build().unwrap();
    let (events, receiver) = mpsc::channel::<&'static str>(1);
    let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
    let ticks = move || async move {
        Sse::new(stream::unfold(receiver, |receiver| async move {
            let text = receiver.lock().await.recv().await?;
            Some((Ok::<_, Infallible>(Event::default().data(text)), receiver))
        }))
    };
    let app = Router::new().route("/ticks", get(ticks)).layer(layer.clone());
    let server = Server::start(app).await;

    events.send("one").await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut response = client.get(server.url("/ticks")).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "data: one\n\n");
    assert!(bench.request_lines().is_empty());
    assert_eq!(layer.in_flight().count(), 1);

    bench.clock.advance(Duration::from_secs(5));
    for text in ["two", "three"] {
        events.send(text).await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), format!("data: {text}\n\n"));
        let line = bench.request_line();
        assert_eq!((&line["held"], &line["outcome"]), (&true.into(), &"success".into()));
        assert_eq!((&line["duration_ms"], &line["response_bytes"]), (&5_000.0.into(), &22.into()));
        assert_eq!(layer.in_flight().count(), 0);
    }
    drop(events);
    assert_eq!(response.chunk().await.unwrap(), None, "the client gets the stream to its end");
    drop((response, client));
    server.stop().await;
    bench.request_line();
}
