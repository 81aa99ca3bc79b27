//! What every sink must do, and what the agent may do to one.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use obs_core::output::{Capture, Output};
use obs_core::telemetry::Telemetry;
use obs_emf::lint::{Linter, Metrics};
use obs_emf::sink::{AgentEndpoint, LineSink, Sink, from_environment};
use obs_emf::{DropReason, Record, Transport};

mod contract;

use contract::{LIMIT, POINTS, clock, emit, keeps_the_contract, now, shape};

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
    keeps_the_contract(&*sink);
    let arrived = observations(Transport::ContainerStdout, &captured.text());
    assert_eq!(arrived, sink.ledger().emitted as f64);
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
    keeps_the_contract(&*sink);
    let emitted = sink.ledger().emitted;
    drop(sink);
    let text = agent_thread.join().unwrap();
    assert_eq!(fallback.text(), "");
    assert_eq!(observations(Transport::Agent, &text), emitted as f64);
}

/// Reads datagrams until nobody sends any more.
fn datagrams(socket: &UdpSocket, is_over: &AtomicBool) -> Vec<String> {
    let mut datagrams = Vec::new();
    let mut buffer = vec![0; 65_536];
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    loop {
        // Asked before: what was sent until then has arrived, since it does not leave this host.
        let was_over = is_over.load(Ordering::Acquire);
        match socket.recv(&mut buffer) {
            Ok(length) => datagrams.push(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            Err(_) if was_over => return datagrams,
            Err(_) => {}
        }
    }
}

/// The datagrams for which the socket of this port had no room, as the kernel counts them.
#[cfg(target_os = "linux")]
fn lost_datagrams(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let local = format!("0100007F:{port:04X}");
    let row = table.lines().find(|row| row.split_whitespace().nth(1) == Some(&local)).unwrap();
    row.split_whitespace().last().unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn an_agent_over_udp_keeps_the_contract() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let agent_thread = std::thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            let datagrams = datagrams(&socket, &is_over);
            (datagrams, lost_datagrams(address.port()))
        }
    });
    let (sink, fallback) = agent(AgentEndpoint::Udp(address.to_string()));
    keeps_the_contract(&*sink);
    let ledger = sink.ledger();
    is_over.store(true, Ordering::Release);
    let (datagrams, lost) = agent_thread.join().unwrap();
    assert_eq!(fallback.text(), "");
    assert!(datagrams.iter().all(|datagram| !datagram.contains('\n')), "one record in each");
    // Each value made a line, with or without metrics.
    assert_eq!(datagrams.len() as u64 + lost, ledger.appended, "{lost} found no room");
    let arrived = observations(Transport::Udp, &datagrams.join("\n"));
    assert!(arrived > 0.0 && arrived <= ledger.emitted as f64, "{arrived} {ledger:?}");
}

#[test]
fn emf_r2_an_agent_over_udp_gets_one_record_in_each_datagram() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (sink, fallback) = agent(AgentEndpoint::Udp(socket.local_addr().unwrap().to_string()));
    for value in 0..20 {
        emit(&*sink, "1", f64::from(value));
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
            emit(&*sink, "1", f64::from(value));
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
            emit(&*sink, &round.to_string(), f64::from(value));
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

#[test]
fn emf_r1_the_agent_listens_on_port_25888_of_this_host() {
    assert_eq!(AgentEndpoint::default(), AgentEndpoint::Tcp("127.0.0.1:25888".to_owned()));
    for (text, expected) in [
        ("tcp://127.0.0.1:25888", AgentEndpoint::default()),
        ("tcp://:25888", AgentEndpoint::default()),
        ("tcp://0.0.0.0:25888", AgentEndpoint::default()),
        ("udp://:25888", AgentEndpoint::Udp("127.0.0.1:25888".to_owned())),
        ("udp:127.0.0.1:25888", AgentEndpoint::Udp("127.0.0.1:25888".to_owned())),
    ] {
        assert_eq!(AgentEndpoint::parse(text).unwrap(), expected, "{text}");
    }
    for text in ["", "25888", "tcp://host", "tcp://host:0", "tcp://host:99999", "http://host:1"] {
        assert!(AgentEndpoint::parse(text).is_err(), "{text}");
    }
}

/// Keeps each write apart.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn emf_r6_a_write_holds_whole_lines_and_at_most_64_kib_of_them() {
    let writes = Writes::default();
    let output = Output::writer(writes.clone());
    let sink = LineSink::to(output, "orders", Transport::ContainerStdout, clock());
    contract::from_64_threads(&sink);
    assert!(sink.shutdown(LIMIT));
    let writes = writes.0.lock().unwrap();
    let bytes: usize = writes.iter().map(Vec::len).sum();
    assert!(writes.len() < bytes / (32 * 1024) + 64, "{} writes of {bytes} bytes", writes.len());
    for write in writes.iter() {
        assert!(write.ends_with(b"\n") && write.len() <= 64 * 1024 + 1);
        observations(Transport::ContainerStdout, std::str::from_utf8(write).unwrap());
    }
}

#[test]
fn emf_r7_metrics_pass_the_level_filter_of_a_lambda_function() {
    let environment = Environment::from([
        ("AWS_LAMBDA_FUNCTION_NAME", "orders"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "ERROR"),
    ]);
    let (output, captured) = Output::captured();
    let telemetry =
        Telemetry::builder("orders").environment(environment).output(output).build().unwrap();
    let sink = LineSink::of(&telemetry);
    emit(&sink, "1", 1.0);
    assert!(sink.flush(LIMIT));
    assert!(captured.text().contains(r#""level":"ERROR""#), "{}", captured.text());
}

/// A destination that takes nothing until it is let go.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<(Mutex<bool>, Condvar)>,
    taken: Capture,
}

impl Gate {
    fn let_go(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let (open, changed) = &*self.open;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        self.taken.write(bytes)
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
    contract::from_64_threads(&sink);
    let ledger = sink.ledger();
    assert!(ledger.dropped_for(DropReason::QueueFull) > 0 && ledger.is_conserved(), "{ledger:?}");
    gate.let_go();
    assert!(sink.shutdown(LIMIT));
    let (ledger, lines) = (sink.ledger(), output.ledger());
    assert_eq!(ledger.appended, ledger.emitted + ledger.dropped());
    assert_eq!(lines.created, lines.written + lines.dropped());
    let arrived = observations(Transport::ContainerStdout, &gate.taken.text());
    assert_eq!(arrived, ledger.emitted as f64);
}

#[test]
fn a_destination_that_stays_blocked_does_not_hold_up_the_shutdown() {
    let gate = Gate::default();
    let output = Output::writer(gate.clone());
    let sink = LineSink::to(output.clone(), "orders", Transport::ContainerStdout, clock());
    contract::from_64_threads(&sink);
    assert!(!sink.shutdown(Duration::from_millis(1)));
    let ledger = sink.ledger();
    assert!(ledger.is_conserved() && ledger.pending == 0, "{ledger:?}");
    let lines = output.ledger();
    assert_eq!((lines.queued, lines.created), (0, lines.written + lines.dropped()));
    emit(&sink, "1", 1.0);
    assert_eq!(sink.ledger().dropped_for(DropReason::Closed), 1);
    gate.let_go();
}

#[test]
fn an_agent_that_closes_again_and_again_costs_64_threads_no_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Closes its side of each connection after some lines, as an agent does that restarts, and
    // reads what was on its way.
    let agent_thread = std::thread::spawn(move || {
        let mut texts = Vec::new();
        loop {
            let mut stream = listener.accept().unwrap().0;
            let mut bytes = vec![0; 10_000];
            let first = stream.read(&mut bytes).unwrap();
            bytes.truncate(first);
            let is_last = bytes.starts_with(b"end");
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            stream.read_to_end(&mut bytes).unwrap();
            if is_last {
                return texts;
            }
            texts.push(String::from_utf8(bytes).unwrap());
        }
    });
    let (sink, fallback) = agent(AgentEndpoint::Tcp(address.clone()));
    for _ in 0..4 {
        contract::from_64_threads(&*sink);
        assert!(sink.flush(LIMIT));
    }
    assert!(sink.shutdown(LIMIT));
    drop(sink);
    std::net::TcpStream::connect(address).unwrap().write_all(b"end").unwrap();
    let texts = agent_thread.join().unwrap();
    assert!(texts.len() > 1 && texts.iter().all(|text| text.ends_with('\n')));
    let received: f64 = texts.iter().map(|text| observations(Transport::Agent, text)).sum();
    let total = received + observations(Transport::Agent, &fallback.text());
    assert_eq!(total, 4.0 * POINTS as f64);
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
    let agent = |variables: &[(&str, &str)]| {
        let text = telemetry(variables).unwrap();
        text.split_once("agent: Some(\"").map(|(_, rest)| {
            rest.split_once('"').map_or(String::new(), |(address, _)| address.to_owned())
        })
    };
    const METADATA: (&str, &str) = ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4");
    const UDP: (&str, &str) = ("AWS_EMF_AGENT_ENDPOINT", "udp://127.0.0.1:25889");
    let (default, udp) = ("tcp://127.0.0.1:25888", "udp://127.0.0.1:25889");
    for (variables, expected) in [
        (&[][..], None),
        (&[("AWS_EMF_ENVIRONMENT", "Agent")], Some(default)),
        (&[("AWS_EMF_ENVIRONMENT", "EC2")], Some(default)),
        (&[UDP], Some(udp)),
        (&[UDP, ("AWS_LAMBDA_FUNCTION_NAME", "orders")], None),
        (&[UDP, ("AWS_EMF_ENVIRONMENT", "Local")], None),
        (&[METADATA], Some(default)),
        (&[METADATA, UDP], Some(udp)),
        (&[METADATA, ("AWS_EMF_ENVIRONMENT", "Lambda")], None),
        (
            &[METADATA, ("FLUENT_HOST", "router"), ("FLUENT_PORT", "24224")],
            Some("tcp://router:24224"),
        ),
        (&[("FLUENT_HOST", "router"), ("FLUENT_PORT", "24224")], None),
    ] {
        assert_eq!(agent(variables).as_deref(), expected, "{variables:?}");
    }
    let error = telemetry(&[("AWS_EMF_ENVIRONMENT", "Moon")]).unwrap_err();
    assert_eq!(error.field(), "AWS_EMF_ENVIRONMENT");
    let error = telemetry(&[("AWS_EMF_AGENT_ENDPOINT", "pigeon://x")]).unwrap_err();
    assert_eq!(error.field(), "AWS_EMF_AGENT_ENDPOINT");
}
