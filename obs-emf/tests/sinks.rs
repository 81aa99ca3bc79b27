//! What every sink must do, and what the agent may do to one.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use obs_core::clock::{Clock, ManualClock, Timestamp};
use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use obs_core::metric::Unit;
use obs_core::output::{Capture, Output};
use obs_core::telemetry::Telemetry;
use obs_emf::lint::{Linter, Metrics};
use obs_emf::sink::{AgentEndpoint, LineSink, Sink, from_environment};
use obs_emf::{Record, Shape, Transport};

const LIMIT: Duration = Duration::from_secs(30);

fn shape() -> Shape {
    Shape::builder("Shop")
        .dimension_set(["Worker"])
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap()
}

fn now() -> Timestamp {
    ManualClock::default().clock().wall()
}

fn clock() -> Clock {
    ManualClock::default().clock()
}

fn emit(sink: &dyn Sink, worker: u32, value: f64) {
    let shape = shape();
    let worker = worker.to_string();
    sink.emit(&Record::new(&shape, now()).dimensions(&[&worker]).values(&[value]));
}

/// The contract of [`Sink`], whatever it writes to.
fn keeps_the_contract(sink: &Arc<dyn Sink>) {
    std::thread::scope(|scope| {
        for worker in 0..64 {
            scope.spawn(move || {
                for value in 0..50 {
                    emit(&**sink, worker, f64::from(value));
                }
                emit(&**sink, worker, f64::NAN);
            });
        }
    });
    assert!(sink.flush(LIMIT));
    assert!(sink.shutdown(LIMIT));
    assert!(sink.shutdown(LIMIT), "a second shutdown says the same");
    let ledger = sink.ledger();
    assert!(ledger.is_conserved(), "{ledger:?}");
    assert_eq!((ledger.pending, ledger.appended), (0, 64 * 51));
    assert_eq!(ledger.dropped(), 64, "the NaNs");
}

fn observations(transport: Transport, text: &str) -> f64 {
    Metrics::read_with(&Linter::default().transport(transport).now(now()), text).observations()
}

fn ids() -> IdGenerator {
    IdGenerator::seeded(7)
}

fn agent(endpoint: AgentEndpoint) -> (Arc<dyn Sink>, Capture) {
    let fallback = Capture::default();
    let sink = LineSink::to_agent(endpoint, fallback.clone(), "orders", clock(), ids()).unwrap();
    (Arc::new(sink), fallback)
}

#[test]
fn lines_keep_the_contract() {
    let (output, captured) = Output::captured();
    let sink: Arc<dyn Sink> =
        Arc::new(LineSink::to(output, "orders", Transport::ContainerStdout, clock()));
    keeps_the_contract(&sink);
    assert_eq!(observations(Transport::ContainerStdout, &captured.text()), 64.0 * 50.0);
}

#[test]
fn an_agent_over_tcp_keeps_the_contract() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let agent_thread = std::thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    let (sink, fallback) = agent(AgentEndpoint::Tcp(address));
    keeps_the_contract(&sink);
    drop(sink);
    let text = agent_thread.join().unwrap();
    assert_eq!(fallback.text(), "");
    assert_eq!(observations(Transport::Agent, &text), 64.0 * 50.0);
}

#[test]
fn an_agent_over_udp_gets_one_record_in_each_datagram() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (sink, fallback) = agent(AgentEndpoint::Udp(socket.local_addr().unwrap().to_string()));
    for value in 0..20 {
        emit(&*sink, 1, f64::from(value));
    }
    assert!(sink.shutdown(LIMIT));
    let mut buffer = vec![0; 65_536];
    for value in 0..20 {
        let length = socket.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        assert!(!text.ends_with('\n'));
        let metrics = Metrics::read(text);
        assert_eq!(metrics.find("Latency", &[("Worker", "1")]).unwrap().sum(), f64::from(value));
    }
    assert_eq!(fallback.text(), "");
}

#[test]
fn without_an_agent_lines_go_to_the_fallback() {
    for endpoint in [AgentEndpoint::Tcp, AgentEndpoint::Udp] {
        // A port that was free a moment ago and that nobody listens on.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (sink, fallback) = agent(endpoint(port.to_string()));
        for value in 0..10 {
            emit(&*sink, 1, f64::from(value));
            assert!(sink.flush(LIMIT));
        }
        assert!(sink.shutdown(LIMIT));
        let lost_to_udp = 1.0;
        assert!(observations(Transport::Udp, &fallback.text()) >= 10.0 - lost_to_udp);
        assert!(sink.ledger().is_conserved());
    }
}

#[test]
fn an_agent_that_closes_is_found_again_at_a_record_boundary() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sink, fallback) = agent(AgentEndpoint::Tcp(listener.local_addr().unwrap().to_string()));
    let mut received = String::new();
    for round in 0..3 {
        for value in 0..5 {
            emit(&*sink, round, f64::from(value));
        }
        assert!(sink.flush(LIMIT));
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = vec![0; 65_536];
        // Reads what this connection got, to its last whole line, then closes it.
        let mut text = String::new();
        while text.lines().count() < 5 {
            let length = stream.read(&mut buffer).unwrap();
            text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        assert!(text.ends_with('\n'));
        received.push_str(&text);
    }
    assert!(sink.shutdown(LIMIT));
    let total = observations(Transport::Agent, &received)
        + observations(Transport::Agent, &fallback.text());
    assert_eq!(total, 15.0);
}

#[test]
fn an_agent_that_does_not_read_costs_no_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sink, fallback) = agent(AgentEndpoint::Tcp(listener.local_addr().unwrap().to_string()));
    let shape = shape();
    let long = "x".repeat(100_000);
    let fields = [("text", long.as_str().into())];
    for _ in 0..60 {
        sink.emit(&Record::new(&shape, now()).dimensions(&["1"]).values(&[1.0]).fields(&fields));
        assert!(sink.flush(LIMIT));
    }
    assert!(sink.shutdown(LIMIT));
    drop(sink);
    // What the sockets held, read now; the last line of a connection may be torn, and was sent
    // again elsewhere.
    listener.set_nonblocking(true).unwrap();
    let mut received = 0.0;
    while let Ok((mut stream, _)) = listener.accept() {
        stream.set_nonblocking(false).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let text = std::str::from_utf8(&bytes[..whole]).unwrap();
        received += observations(Transport::Agent, text);
    }
    assert_eq!(received + observations(Transport::Agent, &fallback.text()), 60.0);
}

/// A destination that takes nothing until it is let go.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let (open, changed) = &*self.0;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_blocked_destination_neither_blocks_the_caller_nor_hides_a_loss() {
    let gate = Gate::default();
    let output = Output::builder()
        .destination(gate.clone())
        .capacity_bytes(64 * 1024)
        .high_water_bytes(1_024)
        .build()
        .unwrap();
    let sink = LineSink::to(output.clone(), "orders", Transport::ContainerStdout, clock());
    for value in 0..2_000 {
        emit(&sink, 1, f64::from(value));
    }
    let ledger = output.ledger();
    assert!(ledger.dropped() > 0 && ledger.is_conserved(), "{ledger:?}");
    *gate.0.0.lock().unwrap() = true;
    gate.0.1.notify_all();
    assert!(sink.shutdown(LIMIT));
    let ledger = output.ledger();
    assert_eq!(ledger.created, 2_000);
    assert_eq!(ledger.created, ledger.written + ledger.dropped());
    assert_eq!(sink.ledger().emitted, 2_000, "handed to the output, whose ledger goes on");
}

#[test]
fn the_environment_chooses_the_sink() {
    let telemetry = |variables: &[(&str, &str)]| {
        let environment: Environment = variables.iter().copied().collect();
        let telemetry = Telemetry::builder("orders")
            .environment(Environment::empty())
            .output(Output::captured().0)
            .build()
            .unwrap();
        from_environment(&environment, &telemetry).map(|sink| format!("{sink:?}"))
    };
    let is_agent =
        |variables: &[(&str, &str)]| telemetry(variables).unwrap().contains("agent: true");
    assert!(!is_agent(&[]));
    assert!(is_agent(&[("AWS_EMF_ENVIRONMENT", "Agent")]));
    assert!(is_agent(&[("AWS_EMF_AGENT_ENDPOINT", "udp://127.0.0.1:25888")]));
    assert!(!is_agent(&[
        ("AWS_EMF_AGENT_ENDPOINT", "udp://127.0.0.1:25888"),
        ("AWS_LAMBDA_FUNCTION_NAME", "orders")
    ]));
    assert!(!is_agent(&[
        ("AWS_EMF_AGENT_ENDPOINT", "udp://127.0.0.1:25888"),
        ("AWS_EMF_ENVIRONMENT", "Local")
    ]));
    let error = telemetry(&[("AWS_EMF_ENVIRONMENT", "Moon")]).unwrap_err();
    assert_eq!(error.field(), "AWS_EMF_ENVIRONMENT");
    let error = telemetry(&[("AWS_EMF_AGENT_ENDPOINT", "pigeon://x")]).unwrap_err();
    assert_eq!(error.field(), "AWS_EMF_AGENT_ENDPOINT");
}
