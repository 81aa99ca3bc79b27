//! A process that ends right after its last event loses none: the test runs itself as that process.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use obs_core::metric::{Descriptor, Recorder, Unit};
use obs_core::telemetry::Telemetry;
use obs_emf::aggregate::{EventAggregator, Flusher, Mode};
use obs_emf::lint::Metrics;
use obs_emf::recorder::EmfRecorder;
use obs_emf::sink::{AgentEndpoint, LineSink, Sink};
use obs_emf::{Ledger, Record, Shape};

const LIMIT: Duration = Duration::from_secs(30);
const ROLE: &str = "OBS_EMF_EXIT_ROLE";
const AGENT: &str = "OBS_EMF_EXIT_AGENT";
const THREADS: u64 = 64;
const EVENTS: u64 = 100;

fn role() -> Option<String> {
    Environment::process().get(ROLE).map(str::to_owned)
}

/// Runs `test` of this file in a process of its own.
fn run(test: &str, agent: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(ROLE, test)
        .env(AGENT, agent)
        .output()
        .unwrap()
}

/// Ends the process at once, as one that does nothing else after its last event.
fn end(ledger: &Ledger) -> ! {
    eprintln!("ledger {} {} {}", ledger.appended, ledger.emitted, ledger.dropped());
    std::process::exit(0)
}

/// Holds what the process wrote against what it said of itself.
fn holds(output: &Output, text: &str) {
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<u64> = said
        .lines()
        .find_map(|line| line.strip_prefix("ledger "))
        .unwrap_or_else(|| panic!("no ledger in {said}"))
        .split(' ')
        .map(|number| number.parse().unwrap())
        .collect();
    // The test runner's own words may stand before the first line.
    let lines: Vec<&str> = text.lines().filter_map(|line| Some(&line[line.find('{')?..])).collect();
    let arrived = Metrics::read(&lines.join("\n")).observations();
    let [appended, emitted, dropped] = said.try_into().unwrap();
    assert_eq!((appended, emitted + dropped), (THREADS * EVENTS, THREADS * EVENTS));
    assert_eq!(arrived, emitted as f64);
}

fn telemetry() -> Telemetry {
    Telemetry::builder("orders").environment(Environment::empty()).build().unwrap()
}

fn shape() -> Shape {
    Shape::builder("Shop")
        .dimension_set(["Worker"])
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap()
}

fn from_many_threads(event: impl Fn(&str, f64) + Sync) {
    std::thread::scope(|scope| {
        for worker in 0..THREADS {
            let event = &event;
            scope.spawn(move || {
                let worker = worker.to_string();
                (0..EVENTS).for_each(|value| event(&worker, value as f64));
            });
        }
    });
}

#[test]
fn lines_written_just_before_the_exit_arrive() {
    if role().is_none() {
        let output = run("lines_written_just_before_the_exit_arrive", "");
        return holds(&output, &String::from_utf8_lossy(&output.stdout));
    }
    let (telemetry, shape) = (telemetry(), shape());
    let sink = LineSink::of(&telemetry);
    from_many_threads(|worker, value| {
        let now = telemetry.clock().wall();
        sink.emit(&Record::new(&shape, now).dimensions(&[worker]).values(&[value]));
    });
    assert!(telemetry.shutdown(LIMIT).complete);
    end(&sink.ledger());
}

#[test]
fn values_gathered_just_before_the_exit_arrive() {
    if role().is_none() {
        let output = run("values_gathered_just_before_the_exit_arrive", "");
        return holds(&output, &String::from_utf8_lossy(&output.stdout));
    }
    static WAIT: Descriptor = Descriptor::new("Wait", Unit::Milliseconds, "");
    let telemetry = telemetry();
    let events = Arc::new(EventAggregator::new(shape(), Mode::Aggregated, Clock::system()));
    let recorder = EmfRecorder::new("Shop", "orders", "local", Clock::system()).unwrap();
    let recorder = Arc::new(recorder);
    let flusher = Flusher::builder(Arc::new(LineSink::of(&telemetry)))
        .drain(events.clone())
        .drain(recorder.clone())
        .start()
        .unwrap();
    flusher.attach(&telemetry);
    let wait = recorder.histogram(&WAIT, &[]);
    from_many_threads(|worker, value| {
        // Half of them goes each way.
        if value < EVENTS as f64 / 2.0 {
            events.observe(&[worker], &[value], &[], Default::default());
        } else {
            wait.record(value);
        }
    });
    assert!(telemetry.shutdown(LIMIT).complete);
    end(&flusher.ledger());
}

#[test]
fn what_is_only_dropped_before_the_exit_arrives_too() {
    if role().is_none() {
        let output = run("what_is_only_dropped_before_the_exit_arrives_too", "");
        return holds(&output, &String::from_utf8_lossy(&output.stdout));
    }
    let (telemetry, events) =
        (telemetry(), Arc::new(EventAggregator::new(shape(), Mode::Aggregated, Clock::system())));
    let sink = Arc::new(LineSink::of(&telemetry));
    let flusher = Flusher::builder(sink.clone()).drain(events.clone()).start().unwrap();
    from_many_threads(|worker, value| {
        events.observe(&[worker], &[value], &[], Default::default());
    });
    drop(flusher);
    let ledger = sink.ledger();
    drop((sink, telemetry));
    end(&ledger);
}

#[test]
fn an_agent_gets_what_was_handed_in_just_before_the_exit() {
    let Some(_) = role() else {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let agent = std::thread::spawn(move || {
            let mut text = String::new();
            listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        let output = run("an_agent_gets_what_was_handed_in_just_before_the_exit", &address);
        return holds(&output, &agent.join().unwrap());
    };
    let endpoint = Environment::process().get(AGENT).map(str::to_owned).unwrap();
    let (endpoint, ids) = (AgentEndpoint::Tcp(endpoint), IdGenerator::system());
    let sink = LineSink::to_agent(endpoint, std::io::stdout(), "orders", Clock::system(), ids);
    let (sink, shape) = (sink.unwrap(), shape());
    from_many_threads(|worker, value| {
        let now = Clock::system().wall();
        sink.emit(&Record::new(&shape, now).dimensions(&[worker]).values(&[value]));
    });
    assert!(sink.shutdown(LIMIT));
    end(&sink.ledger());
}
