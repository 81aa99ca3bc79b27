//! Under tonic, unchanged: a real server and a real client, over a socket.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::uri::PathAndQuery;
use http::{Request, Response};
use obs_core::trace::{AttributeValue, SpanKind};
use obs_tower::client::{Client, ClientLayer};
use obs_tower::observe::{ObserveLayer, RequestHead, Route};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::{Layer, Service, service_fn};

use crate::support::Bench;

const SAY_HELLO: &str = "/greet.Greeter/SayHello";
const COUNT: &str = "/greet.Greeter/Count";

/// Both messages are protobuf's wrapper of a string.
type Codec = tonic_prost::ProstCodec<String, String>;

/// What tonic generates for a service with a unary and a streaming method.
#[derive(Clone)]
struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "greet.Greeter";
}

impl Service<Request<Body>> for Greeter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Codec::default());
            Ok(match request.uri().path() {
                SAY_HELLO => grpc.unary(service_fn(say_hello), request).await,
                COUNT => grpc.server_streaming(service_fn(count), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

async fn say_hello(request: tonic::Request<String>) -> Result<tonic::Response<String>, Status> {
    match request.into_inner().as_str() {
        "nobody" => Err(Status::not_found("nobody is here")),
        "panic" => panic!("no manners"),
        name => Ok(tonic::Response::new(format!("hello {name}"))),
    }
}

type Counted = BoxStream<'static, Result<String, Status>>;

async fn count(request: tonic::Request<String>) -> Result<tonic::Response<Counted>, Status> {
    let one = stream::iter([Ok("one".to_owned())]);
    Ok(tonic::Response::new(match request.into_inner().as_str() {
        "loses" => one.chain(stream::iter([Err(Status::data_loss("two is lost"))])).boxed(),
        "stalls" => one.chain(stream::pending()).boxed(),
        _ => one.boxed(),
    }))
}

fn method_of(head: RequestHead<'_>) -> Option<Route> {
    [SAY_HELLO, COUNT].into_iter().find(|known| *known == head.uri.path()).map(Route::from)
}

type Grpc = tonic::client::Grpc<Client<Channel>>;

/// Runs `calls` against the observed service, and gives what was left once the server has stopped.
async fn serving<T>(calls: impl AsyncFnOnce(Grpc) -> T) -> (T, Bench) {
    let bench = Bench::new();
    let layer = ObserveLayer::builder(bench.telemetry.clone()).route(method_of).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut server = Server::builder().layer(layer.clone());
    let server = server.add_service(Greeter).serve_with_incoming_shutdown(
        TcpIncoming::from(listener),
        async move {
            let _ = stopped.await;
        },
    );
    let server = tokio::spawn(server);

    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut grpc = Grpc::with_origin(
        ClientLayer::new(bench.telemetry.clone()).layer(channel),
        format!("http://{address}").parse().unwrap(),
    );
    grpc.ready().await.unwrap();
    let result = calls(grpc).await;
    drop(stop);
    server.await.unwrap().unwrap();
    assert_eq!(layer.in_flight().count(), 0);
    (result, bench)
}

async fn unary(mut grpc: Grpc, method: &'static str, text: &str) -> Result<String, Status> {
    let request = tonic::Request::new(text.to_owned());
    let path = PathAndQuery::from_static(method);
    grpc.unary(request, path, Codec::default()).await.map(tonic::Response::into_inner)
}

/// The one line, the span and what they say of the gRPC status, which must be the same.
fn status_of(bench: &Bench) -> (Value, Value) {
    let line = bench.request_line();
    let spans = bench.spans();
    for kind in [SpanKind::Server, SpanKind::Client] {
        let mut of_kind = spans.iter().filter(|span| span.kind == kind);
        let (Some(span), None) = (of_kind.next(), of_kind.next()) else {
            panic!("one span of {kind:?}: {spans:#?}");
        };
        let in_span = span.attributes.get("rpc.response.status_code");
        assert_eq!(in_span.and_then(AttributeValue::as_str), line["grpc_status"].as_str());
    }
    assert_eq!((&line["status"], &line["method"]), (&200.into(), &"POST".into()));
    (line["outcome"].clone(), line["grpc_status"].clone())
}

#[tokio::test]
async fn the_trailers_of_a_unary_call_decide() {
    let (answer, bench) = serving(async |grpc| unary(grpc, SAY_HELLO, "Ada").await).await;
    assert_eq!(answer.unwrap(), "hello Ada");
    assert_eq!(status_of(&bench), ("success".into(), "OK".into()));
    let line = bench.request_line();
    assert_eq!((&line["route"], &line["level"]), (&SAY_HELLO.into(), &"INFO".into()));
    // Five bytes before the message, two before its text. Nobody has counted the request's.
    assert_eq!((&line["response_bytes"], &line["request_bytes"]), (&16.into(), &Value::Null));
}

#[tokio::test]
async fn a_status_without_a_message_decides_too() {
    let (answer, bench) = serving(async |grpc| unary(grpc, SAY_HELLO, "nobody").await).await;
    assert_eq!(answer.unwrap_err().code(), Code::NotFound);
    assert_eq!(status_of(&bench), ("client_error".into(), "NOT_FOUND".into()));
    let unknown = async |grpc| unary(grpc, "/greet.Greeter/Sing", "Ada").await;
    let (answer, bench) = serving(unknown).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(status_of(&bench), ("server_error".into(), "UNIMPLEMENTED".into()));
    assert_eq!(bench.request_line()["route"], "__unmatched__");
}

/// Reads a stream to its end, or to its first error.
async fn counted(mut grpc: Grpc, text: &str) -> (Vec<String>, Option<Code>) {
    let path = PathAndQuery::from_static(COUNT);
    let request = tonic::Request::new(text.to_owned());
    let response = grpc.server_streaming(request, path, Codec::default()).await.unwrap();
    let mut messages = response.into_inner();
    let mut seen = Vec::new();
    loop {
        match messages.message().await {
            Ok(Some(message)) => seen.push(message),
            Ok(None) => return (seen, None),
            Err(status) => return (seen, Some(status.code())),
        }
    }
}

#[tokio::test]
async fn a_stream_that_fails_after_its_first_message_is_a_fault_though_http_says_200() {
    let (counted_to, bench) = serving(async |grpc| counted(grpc, "loses").await).await;
    assert_eq!(counted_to, (vec!["one".to_owned()], Some(Code::DataLoss)));
    assert_eq!(status_of(&bench), ("server_error".into(), "DATA_LOSS".into()));
    let line = bench.request_line();
    assert_eq!((&line["Faults"], &line["error_kind"]), (&1.into(), &"DATA_LOSS".into()));

    let (counted_to, bench) = serving(async |grpc| counted(grpc, "ends").await).await;
    assert_eq!(counted_to, (vec!["one".to_owned()], None));
    assert_eq!(status_of(&bench), ("success".into(), "OK".into()));
}

#[tokio::test]
async fn a_stream_that_its_client_gives_up_is_no_success() {
    let given_up = async |mut grpc: Grpc| {
        let path = PathAndQuery::from_static(COUNT);
        let request = tonic::Request::new("stalls".to_owned());
        let response = grpc.server_streaming(request, path, Codec::default()).await.unwrap();
        let mut messages: tonic::Streaming<String> = response.into_inner();
        assert_eq!(messages.message().await.unwrap().unwrap(), "one");
    };
    let ((), bench) = serving(given_up).await;
    assert_eq!(status_of(&bench), ("cancelled_in_body".into(), Value::Null));
}

#[tokio::test]
async fn a_panic_reaches_the_client_as_a_grpc_status() {
    let (answer, bench) = serving(async |grpc| unary(grpc, SAY_HELLO, "panic").await).await;
    assert_eq!(answer.unwrap_err().code(), Code::Internal);
    assert_eq!(status_of(&bench), ("panic".into(), "INTERNAL".into()));
    assert_eq!(bench.request_line()["error_message"], "no manners");
}
