//! OTLP receivers within the test, built from OpenTelemetry's own protocol definitions.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceServiceServer;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tonic::transport::server::{Server, TcpIncoming};

use crate::service::{Received, Service};

/// A gRPC receiver on a runtime of its own; it ends with the test's process.
pub(crate) fn grpc() -> (String, Received) {
    let (sender, received) = mpsc::channel();
    let (bound, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            Server::builder()
                .add_service(TraceServiceServer::new(Service(sender)))
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
                .unwrap();
        });
    });
    (format!("http://{}", address.recv().unwrap()), received)
}

/// An HTTP receiver that answers every request with `status`.
pub(crate) fn http(status: u16) -> (String, Received) {
    http_with(status, ExportTraceServiceResponse::default())
}

/// An HTTP receiver that answers every request with `status` and `answer`.
pub(crate) fn http_with(status: u16, answer: ExportTraceServiceResponse) -> (String, Received) {
    let (sender, received) = mpsc::channel();
    let answer = answer.encode_to_vec();
    let address = serve(move |mut stream| {
        while let Some(body) = read_request(&mut stream) {
            let _ = sender.send(ExportTraceServiceRequest::decode(&body[..]).unwrap());
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
            if stream.write_all(&[head.as_bytes(), &answer].concat()).is_err() {
                return;
            }
        }
    });
    (format!("http://{address}/v1/traces"), received)
}

/// A receiver that takes connections and requests and never answers.
pub(crate) fn hanging() -> (SocketAddr, mpsc::Receiver<()>) {
    let (entered, has_entered) = mpsc::channel();
    let address = serve(move |mut stream| {
        let mut first = [0];
        if stream.read_exact(&mut first).is_ok() {
            let _ = entered.send(());
        }
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    (address, has_entered)
}

/// An address at which nobody listens.
pub(crate) fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn serve(mut session: impl FnMut(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            session(stream.unwrap());
        }
    });
    address
}

fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}
