use serde_json::Value;

use crate::id::{SpanId, TraceId};
use crate::trace::{SpanKind, Tracer};

use super::super::rules::broken;
use super::*;

const LONG: Duration = Duration::from_secs(30);

/// A double of the daemon: it takes datagrams as the real one does.
struct Daemon(UdpSocket);

impl Daemon {
    fn on(host: &str) -> Option<Self> {
        let socket = UdpSocket::bind((host, 0)).ok()?;
        socket.set_read_timeout(Some(LONG)).unwrap();
        Some(Self(socket))
    }

    fn start() -> Self {
        Self::on("127.0.0.1").unwrap()
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Splits header and document at the first line's end, as the daemon does, and judges both.
    fn receive(&self) -> Value {
        let mut buffer = vec![0; 64 * 1024];
        let length = self.0.recv(&mut buffer).unwrap();
        let datagram = &buffer[..length];
        let end = datagram.iter().position(|byte| *byte == b'\n').unwrap();
        let header: Value = serde_json::from_slice(&datagram[..end]).unwrap();
        assert_eq!(header, serde_json::json!({ "format": "json", "version": 1 }));
        let document = &datagram[end + 1..];
        assert_eq!(broken(document), None, "{}", String::from_utf8_lossy(document));
        serde_json::from_slice(document).unwrap()
    }
}

fn exporter(address: &str) -> XrayExporter {
    let resource = Resource::empty().with("service.name", "orders");
    XrayExporter::new(DaemonAddress::parse(address).unwrap(), &resource)
}

fn span(id: u64, kind: SpanKind, name: &'static str) -> SpanRecord {
    let trace_id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap();
    SpanRecord::new(name, kind, trace_id, SpanId::new(id).unwrap())
}

/// One of each kind that the exporter of opentelemetry-aws 0.21 loses.
fn hostile() -> Vec<SpanRecord> {
    let child = |id, kind, name| {
        let mut span = span(id, kind, name);
        span.parent_span_id = SpanId::new(1);
        span
    };
    let braces = child(2, SpanKind::Internal, "load user {id}");
    let root = span(3, SpanKind::Internal, "cron");
    let worker = span(4, SpanKind::Consumer, "orders process");
    let mut long_url = span(5, SpanKind::Server, "GET /");
    long_url.attributes.push("url.full", format!("http://a/{}", "x".repeat(302)));
    let mut peer = child(6, SpanKind::Client, "GET");
    peer.attributes.push("peer.service", "svc{1}");
    let mut huge = span(7, SpanKind::Server, "GET /");
    huge.metadata("big", "blob", "x".repeat(70_000));
    let random_id = TraceId::new(u128::MAX).unwrap();
    let random = SpanRecord::new("GET /", SpanKind::Server, random_id, SpanId::new(8).unwrap());
    vec![span(1, SpanKind::Server, "GET /"), braces, root, worker, long_url, peer, huge, random]
}

#[test]
fn every_span_of_the_hostile_corpus_arrives() {
    let daemon = Daemon::start();
    let tracer = Tracer::builder().exporter(exporter(&format!("127.0.0.1:{}", daemon.port())));
    let tracer = tracer.build().unwrap();
    let corpus = hostile();
    for span in &corpus {
        tracer.export(span.clone());
    }
    assert!(tracer.shutdown(LONG));
    assert_eq!(tracer.ledger().exported, corpus.len() as u64, "{:?}", tracer.ledger());
    for span in &corpus {
        assert_eq!(daemon.receive()["id"], span.span_id.to_hex().as_str());
    }
}

#[test]
fn a_daemon_may_be_named_and_may_speak_ipv6() {
    let daemon = Daemon::start();
    let mut by_name = exporter(&format!("tcp:127.0.0.1:1 udp:localhost:{}", daemon.port()));
    // `localhost` may stand for ::1 first, where nobody listens: then it is counted, not lost.
    let report = by_name.export(&[span(1, SpanKind::Server, "a")], LONG);
    assert_eq!(report.exported_count() + report.dropped_counts().total(), 1);
    if report.exported_count() == 1 {
        daemon.receive();
    }
    // A machine without IPv6 cannot run the other half.
    if let Some(daemon) = Daemon::on("::1") {
        let mut exporter = exporter(&format!("[::1]:{}", daemon.port()));
        assert_eq!(exporter.export(&[span(2, SpanKind::Server, "a")], LONG).exported_count(), 1);
        assert_eq!(daemon.receive()["id"], "0000000000000002");
    }
}

#[test]
fn an_absent_daemon_costs_every_span_a_counted_drop_and_a_returning_one_gets_the_next() {
    let daemon = Daemon::start();
    let port = daemon.port();
    drop(daemon);
    let mut exporter = exporter(&format!("127.0.0.1:{port}"));
    let batch: Vec<_> = (1..=5).map(|id| span(id, SpanKind::Server, "a")).collect();
    let report = exporter.export(&batch, LONG);
    assert_eq!(report.dropped_counts().get(DropReason::Unreachable), 5, "{report:?}");
    let Ok(socket) = UdpSocket::bind(("127.0.0.1", port)) else { return };
    let daemon = Daemon(socket);
    let report = exporter.export(&[span(9, SpanKind::Server, "a")], LONG);
    assert_eq!(report.exported_count(), 1, "{report:?}");
    assert_eq!(daemon.receive()["id"], "0000000000000009");
}

#[test]
fn a_host_without_an_address_is_counted_and_looked_up_again() {
    let mut exporter = exporter("no-such-host.invalid:2000");
    for _ in 0..2 {
        let report = exporter.export(&[span(1, SpanKind::Server, "a")], LONG);
        assert_eq!(report.dropped_counts().get(DropReason::Unreachable), 1, "{report:?}");
    }
}
