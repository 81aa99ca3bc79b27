//! What a service that throttles or refuses does to `PutMetricData`, over a socket.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use obs_core::clock::Clock;
use obs_core::id::IdGenerator;
use obs_core::metric::Unit;
use obs_emf::cloudwatch::CloudWatchSink;
use obs_emf::sink::Sink;
use obs_emf::{DropReason, Ledger, Record, Series, Shape};

/// The body of each call that came.
type Calls = Arc<Mutex<Vec<String>>>;

/// Answers calls: with an error if `answer` names one, which is told the number of the call and
/// its body.
fn service(answer: fn(usize, &str) -> Option<&'static str>) -> (String, Calls) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let calls = Calls::default();
    let seen = calls.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let seen = seen.clone();
            std::thread::spawn(move || while serve(&stream, &seen, answer).is_some() {});
        }
    });
    (address, calls)
}

fn serve(
    stream: &std::io::Result<TcpStream>,
    seen: &Calls,
    answer: fn(usize, &str) -> Option<&'static str>,
) -> Option<()> {
    let stream = stream.as_ref().ok()?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let place = {
        let mut seen = seen.lock().unwrap();
        seen.push(body.clone());
        seen.len()
    };
    let (status, body) = match answer(place, &body) {
        None => ("200 OK", vec![0xa0]),
        Some(code) => ("400 Bad Request", error(code)),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

/// `{"__type": code}` in CBOR.
fn error(code: &str) -> Vec<u8> {
    let mut body = vec![0xa1, 0x66];
    body.extend_from_slice(b"__type");
    body.extend([0x78, u8::try_from(code.len()).unwrap()]);
    body.extend_from_slice(code.as_bytes());
    body
}

/// Sends 100 metrics in one call and says what became of them.
fn sent_to(address: &str) -> Ledger {
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(address)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        // The sink's own repetitions are the ones on trial, and bodies must be readable.
        .retry_config(RetryConfig::disabled())
        .disable_request_compression(true)
        .build();
    let client = Client::from_conf(config);
    let sink = CloudWatchSink::new(client, Clock::system(), IdGenerator::system()).unwrap();
    let shape = Shape::builder("Shop").metric(("Latency", Unit::Milliseconds)).build().unwrap();
    let names: Vec<String> = (0..100).map(|number| format!("Metric{number:02}")).collect();
    let points = [(1.0, 1)];
    let series: Vec<_> = names.iter().map(|name| Series::new(name, Unit::Count, &points)).collect();
    sink.emit(&Record::new(&shape, Clock::system().wall()).series(&series));
    assert!(sink.shutdown(Duration::from_secs(30)));
    let ledger = sink.ledger();
    assert_eq!((ledger.appended, ledger.pending), (100, 0));
    assert!(ledger.is_conserved());
    ledger
}

#[test]
fn emf_p11_a_throttled_call_is_repeated_after_a_pause() {
    let (address, calls) = service(|call, _| (call <= 2).then_some("ThrottlingException"));
    assert_eq!(sent_to(&address).emitted, 100);
    assert_eq!(calls.lock().unwrap().len(), 3);
}

#[test]
fn emf_p3_a_call_refused_for_one_datum_is_halved_until_that_is_alone() {
    let (address, _calls) =
        service(|_, body| body.contains("Metric17").then_some("InvalidParameterValueException"));
    let ledger = sent_to(&address);
    assert_eq!((ledger.emitted, ledger.dropped_for(DropReason::Refused)), (99, 1));
}

#[test]
fn a_call_without_permission_is_neither_halved_nor_repeated() {
    let (address, calls) = service(|_, _| Some("AccessDeniedException"));
    assert_eq!(sent_to(&address).dropped_for(DropReason::Refused), 100);
    assert_eq!(calls.lock().unwrap().len(), 1);
}
