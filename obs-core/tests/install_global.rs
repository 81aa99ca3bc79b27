//! What `install_global` changes in a process. One test, because a process has one of each.

use std::fmt;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::context::RequestContext;
use obs_core::environment::Environment;
use obs_core::output::{Capture, Output};
use obs_core::subscriber::InstallError;
use obs_core::telemetry::Telemetry;
use serde_json::Value;

fn telemetry(name: &str) -> (Telemetry, Capture) {
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder(name)
        .environment(Environment::empty())
        .clock(ManualClock::default().clock())
        .output(output)
        .build()
        .expect("nothing is configured");
    (telemetry, captured)
}

/// Writes an event while it is formatted.
struct Chatty;

impl fmt::Debug for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!("inner");
        f.write_str("chatty")
    }
}

#[test]
fn the_first_telemetry_becomes_the_one_of_the_process_and_takes_its_panics() {
    let (first, captured) = telemetry("first");
    let (second, of_second) = telemetry("second");
    first.install_global().expect("the process has none yet");
    assert_eq!(second.install_global(), Err(InstallError::Telemetry));
    assert_eq!(Telemetry::global().map(Telemetry::service_name), Some("first"));

    tracing::info!("outside of any request");
    tracing::info!(who = ?Chatty, "outer");
    let request = RequestContext::builder(&second).build();
    let panicked = std::thread::spawn({
        let request = request.clone();
        move || {
            let _entered = request.enter();
            panic!("no stock left");
        }
    });
    assert!(panicked.join().is_err());

    assert!(first.flush(Duration::from_secs(30)) && second.flush(Duration::from_secs(30)));
    let message = |line: &String| -> Value {
        serde_json::from_str::<Value>(line).expect("each line is JSON")["message"].take()
    };
    let messages: Vec<_> = captured.lines().iter().map(message).collect();
    assert_eq!(messages, ["outside of any request", "inner", "outer"]);

    let of_second = of_second.lines();
    assert_eq!(of_second.len(), 1, "a panic is one line: {of_second:?}");
    let line: Value = serde_json::from_str(&of_second[0]).expect("the line is JSON");
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["message"], "no stock left");
    assert_eq!(line["error_kind"], "panic");
    assert_eq!(line["correlation_id"], request.correlation_id().as_str());
}
