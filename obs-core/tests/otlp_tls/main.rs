//! Spans travel over TLS to a receiver that the system trusts, and to no other. Runs itself as the
//! service, because the environment says whom to trust.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod authority;
mod receiver;
#[path = "../otlp/service.rs"]
mod service;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use authority::Authority;
use obs_core::clock::Timestamp;
use obs_core::environment::Environment;
use obs_core::id::{SpanId, TraceId};
use obs_core::resource::Resource;
use obs_core::trace::{OtlpExporter, SpanKind, SpanRecord, Tracer};

const CHILD: &str = "as-the-service";
const SENT: i32 = 0;
const DROPPED: i32 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == CHILD) {
        std::process::exit(send_one_span());
    }
    let folder = tempfile::tempdir().unwrap();
    let known = Authority::new(&folder.path().join("known.pem"));
    let foreign = Authority::new(&folder.path().join("foreign.pem"));
    for (protocol, (endpoint, received)) in
        [("grpc", receiver::grpc(&known)), ("http/protobuf", receiver::http(&known))]
    {
        assert_eq!(service(protocol, &endpoint, foreign.path()), DROPPED, "{protocol}");
        assert!(received.try_recv().is_err(), "a span went to somebody who is not trusted");
        assert_eq!(service(protocol, &endpoint, known.path()), SENT, "{protocol}");
        let request = received.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, "GET /orders/{id}");
        eprintln!("spans_go_over_tls_to_whom_the_system_trusts ({protocol}) ... ok");
    }
}

/// A service that trusts the authority in the file and sends one span; how it ends says whether
/// the span arrived.
fn service(protocol: &str, endpoint: &str, trusted: &Path) -> i32 {
    let status = Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol)
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)
        .status();
    status.unwrap().code().unwrap()
}

fn send_one_span() -> i32 {
    let resource = Resource::empty().with("service.name", "orders");
    let exporter = OtlpExporter::from_environment(&Environment::process(), &resource).unwrap();
    let tracer = Tracer::builder().exporter(exporter).build().unwrap();
    let trace_id = TraceId::from_hex("5759e988bd862e3fe1be46a994272793").unwrap();
    let span_id = SpanId::from_hex("53995c3f42cd8ad8").unwrap();
    let mut span = SpanRecord::new("GET /orders/{id}", SpanKind::Server, trace_id, span_id);
    span.start = Timestamp::from_unix_nanos(1_767_225_600_000_000_001);
    span.end = Timestamp::from_unix_nanos(1_767_225_600_012_000_002);
    tracer.export(span);
    tracer.shutdown(Duration::from_secs(30));
    let ledger = tracer.ledger();
    if ledger.exported == 1 { SENT } else { DROPPED }
}
