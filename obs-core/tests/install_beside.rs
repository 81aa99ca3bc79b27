//! What happens in a process that has a `tracing` subscriber of its own. One test, because a process
//! has one of each.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use obs_core::environment::Environment;
use obs_core::output::{Capture, Output};
use obs_core::subscriber::{InstallError, ObsLayer};
use obs_core::telemetry::Telemetry;
use tracing_subscriber::layer::SubscriberExt;

const CONTENDERS: usize = 8;

fn telemetry(name: &str) -> (Telemetry, Capture) {
    let (output, captured) = Output::captured();
    let builder = Telemetry::builder(name).environment(Environment::empty()).output(output);
    (builder.build().unwrap(), captured)
}

fn panic_on_a_thread() {
    assert!(std::thread::spawn(|| panic!("on purpose")).join().is_err());
}

#[test]
fn a_refused_installation_changes_nothing_and_of_many_at_once_one_succeeds() {
    let own_hook = Arc::new(AtomicUsize::new(0));
    let calls = own_hook.clone();
    std::panic::set_hook(Box::new(move |_| {
        calls.fetch_add(1, Ordering::Relaxed);
    }));
    let subscriber = tracing_subscriber::registry().with(ObsLayer::new());
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (refused, captured) = telemetry("refused");
    assert_eq!(refused.install_global(), Err(InstallError::Subscriber));
    assert!(Telemetry::global().is_none());
    tracing::info!("for nobody");
    panic_on_a_thread();
    assert!(refused.flush(Duration::from_secs(30)));
    assert_eq!((own_hook.load(Ordering::Relaxed), captured.lines().len()), (1, 0));

    let start = Arc::new(Barrier::new(CONTENDERS));
    let contenders: Vec<_> = (0..CONTENDERS)
        .map(|number| {
            let start = start.clone();
            std::thread::spawn(move || {
                let (telemetry, captured) = telemetry(&format!("contender-{number}"));
                start.wait();
                (telemetry.install_beside(), telemetry, captured)
            })
        })
        .collect();
    let contenders: Vec<_> = contenders.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (winners, losers): (Vec<_>, Vec<_>) =
        contenders.into_iter().partition(|(installed, ..)| installed.is_ok());
    let [(_, winner, captured)] = &winners[..] else { panic!("{} winners", winners.len()) };
    assert!(losers.iter().all(|(refused, ..)| *refused == Err(InstallError::Telemetry)));
    assert_eq!(Telemetry::global().unwrap().service_name(), winner.service_name());

    tracing::info!("for the winner");
    panic_on_a_thread();
    assert!(winner.flush(Duration::from_secs(30)));
    let lines = captured.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("for the winner") && lines[1].contains(r#""error_kind":"panic""#));
    assert_eq!(own_hook.load(Ordering::Relaxed), 1, "its lines take the hook's place");
}
