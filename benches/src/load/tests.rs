use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::output::Output;
use obs_tower::observe::ObserveLayer;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::caller::answer;
use super::report::median;
use super::server::listen;
use super::{Measured, Until, Variant, call, wrk};
use crate::service::bare;
use crate::service::telemetry::telemetry_to;

/// Takes nothing before it is opened, then counts lines.
struct Gate {
    opened: Receiver<()>,
    lines: Arc<Mutex<u64>>,
}

impl Gate {
    fn new() -> (Self, Sender<()>, Arc<Mutex<u64>>) {
        let ((open, opened), lines) = (channel(), Arc::default());
        (Self { opened, lines: Arc::clone(&lines) }, open, lines)
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An error says that it is open for good.
        let _ = self.opened.recv();
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        *self.lines.lock().unwrap() += lines as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_is_stuck_loses_no_line_from_the_ledger_and_holds_up_no_request() {
    const CAPACITY: usize = 64 * 1_024;
    let (gate, open, lines) = Gate::new();
    let output = Output::builder().destination(gate).capacity_bytes(CAPACITY).build().unwrap();
    let telemetry = telemetry_to(output, 0.05);
    let runtime = Runtime::new().unwrap();
    let router = bare().layer(ObserveLayer::new(telemetry.clone()));
    let address = listen(&runtime, router).unwrap();
    let measured = runtime.block_on(call(address, 8, Until::Requests(250))).unwrap();
    assert_eq!((measured.requests, measured.errors), (2_000, 0));

    let stuck = telemetry.output().ledger();
    assert!(stuck.is_conserved() && stuck.dropped() > 0, "{stuck:?}");
    assert!(stuck.queued_bytes <= CAPACITY, "{stuck:?}");

    drop(open);
    assert!(telemetry.shutdown(Duration::from_secs(60)).complete);
    let ledger = telemetry.output().ledger();
    assert!(ledger.created >= 2_000, "{ledger:?}");
    assert_eq!(ledger.created, ledger.written + ledger.sampled_out + ledger.dropped());
    assert_eq!(*lines.lock().unwrap(), ledger.written);
}

#[test]
fn every_variant_answers_over_a_socket() {
    let runtime = Runtime::new().unwrap();
    for variant in Variant::ALL {
        let (router, telemetry) = variant.build().unwrap();
        let address = listen(&runtime, router).unwrap();
        let measured = runtime.block_on(call(address, 2, Until::Requests(10))).unwrap();
        assert_eq!((measured.requests, measured.errors), (20, 0), "{}", variant.name());
        let spans = telemetry.map(|telemetry| telemetry.report().spans.created);
        let is_observed = !matches!(variant, Variant::Bare | Variant::ByHand);
        assert_eq!(spans.is_some(), is_observed);
        assert_eq!(Variant::named(variant.name()), Some(variant));
    }
}

#[test]
fn an_answer_is_whole_when_its_body_is() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\n";
    assert_eq!(answer(&head.as_bytes()[..head.len() - 1]).unwrap(), None);
    assert_eq!(answer(head.as_bytes()).unwrap(), Some((200, head.len() + 5)));
    assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    assert!(answer(b"\xff\r\ncontent-length: 1\r\n\r\n").is_err());
}

proptest! {
    #[test]
    fn no_answer_breaks_the_caller(bytes: Vec<u8>) {
        let _ = answer(&bytes);
        let _ = answer(&[&bytes[..], b"\r\n\r\n"].concat());
    }
}

#[test]
fn what_wrk_says_is_read() {
    let micros = Duration::from_micros;
    assert_eq!(
        wrk::parse("Running 1s test\nmeasured 110 10 1000000 50 99 999\n"),
        Some(Measured {
            requests: 100,
            errors: 10,
            elapsed: micros(1_000_000),
            p50: micros(50),
            p99: micros(99),
            p999: micros(999),
        })
    );
    assert_eq!(wrk::parse("unable to connect"), None);
}

#[test]
fn the_median_is_in_the_middle() {
    assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    assert!(median(Vec::new()).is_nan());
}
