//! The checks that come with the crate, against the real thing each looks at.

use std::fs;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::control::Health;
use obs_health::check::{
    Check, EventLoopCheck, Heartbeat, MemoryCheck, MemorySource, Observation, TcpCheck, blocking,
};
use tokio::net::TcpListener;

#[tokio::test]
async fn an_open_port_passes_and_a_closed_one_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_eq!(TcpCheck::new(&address).check().await, Observation::pass());
    drop(listener);
    let failed = TcpCheck::new(&address).check().await;
    assert_eq!(failed.health(), Health::Fail);
    assert!(failed.output().unwrap().contains(&address));
}

/// A machine of 8 GiB whose control group, if there is one, has these files.
fn machine(group: &[(&str, &str)]) -> (tempfile::TempDir, MemoryCheck) {
    let folder = tempfile::tempdir().unwrap();
    let (cgroup, proc) = (folder.path().join("cgroup"), folder.path().join("proc"));
    fs::create_dir_all(cgroup.join("memory")).unwrap();
    fs::create_dir_all(proc.join("self")).unwrap();
    fs::write(proc.join("meminfo"), "MemTotal:        8388608 kB\nMemFree: 1 kB\n").unwrap();
    fs::write(proc.join("self/status"), "Name:\tx\nVmRSS:\t 2097152 kB\n").unwrap();
    for (file, text) in group {
        fs::write(cgroup.join(file), text).unwrap();
    }
    (folder, MemoryCheck::new().source(MemorySource::at(cgroup, proc)))
}

#[tokio::test]
async fn memory_is_judged_by_the_limit_that_applies() {
    let max = "memory.max";
    let current = "memory.current";
    let (old_limit, old_usage) = ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes");
    for (group, health, fraction) in [
        ([(max, "1000\n"), (current, "500\n")], Health::Pass, 0.5),
        ([(max, "1000\n"), (current, "900\n")], Health::Warn, 0.9),
        ([(max, "1000\n"), (current, "960\n")], Health::Fail, 0.96),
        ([(max, "max\n"), (current, "500\n")], Health::Pass, 0.25),
        ([(old_limit, "1000\n"), (old_usage, "970\n")], Health::Fail, 0.97),
        ([(old_limit, "9223372036854771712\n"), (old_usage, "970\n")], Health::Pass, 0.25),
    ] {
        let (_folder, check) = machine(&group);
        let observation = check.check().await;
        assert_eq!(observation.health(), health, "{group:?}");
        assert_eq!(observation.observed(), Some((fraction, "fraction")), "{group:?}");
    }
}

#[tokio::test]
async fn memory_that_cannot_be_read_fails_and_this_machine_can_be_read() {
    let nowhere = MemorySource::at("/nonexistent", "/nonexistent");
    assert_eq!(MemoryCheck::new().source(nowhere).check().await.health(), Health::Fail);
    let here = MemoryCheck::new().check().await;
    assert!(here.observed().is_some_and(|(used, _)| used > 0.0 && used <= 1.0), "{here:?}");
}

#[test]
fn fractions_out_of_order_are_refused() {
    let error = MemoryCheck::new().fractions(0.9, 0.8).err().unwrap();
    assert_eq!(error.to_string(), "fail_at = 0.8: must be between warn_at and 1");
    assert!(MemoryCheck::new().fractions(f64::NAN, 1.0).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_late_heartbeat_is_seen_by_the_event_loop_check_and_by_liveness() {
    let manual = ManualClock::default();
    let heartbeat = Heartbeat::new(manual.clock(), Duration::from_millis(250));
    let check = EventLoopCheck::new(heartbeat.clone(), Duration::from_millis(100));
    assert_eq!(check.check().await.health(), Health::Pass, "before the first beat");
    tokio::spawn(heartbeat.clone().run());
    tokio::task::yield_now().await;
    manual.advance(Duration::from_millis(600));
    assert_eq!(heartbeat.delay(), Duration::from_millis(350));
    let late = check.check().await;
    assert_eq!((late.health(), late.observed()), (Health::Warn, Some((350.0, "ms"))));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(heartbeat.delay(), Duration::ZERO, "it beat again");
}

#[tokio::test]
async fn liveness_fails_when_the_runtime_stops_running_tasks() {
    let manual = ManualClock::default();
    let health =
        obs_health::HealthRegistry::builder("orders").clock(manual.clock()).build().unwrap();
    let _running = health.start();
    tokio::task::yield_now().await;
    assert_eq!(crate::support::get(&health, "/live").await.status, 200);
    manual.advance(Duration::from_secs(11));
    assert_eq!(crate::support::get(&health, "/live").await.status, 503);
}

#[tokio::test]
async fn a_blocking_check_that_hangs_holds_one_thread_and_no_more() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let check = blocking(move || {
        let closed = released.lock().unwrap().recv();
        Observation::from(closed.or(Ok::<(), String>(())))
    });
    let first = tokio::spawn(check.check());
    tokio::task::yield_now().await;
    let second = check.check().await;
    assert_eq!(second.output(), Some("an earlier run still blocks its thread"));
    drop(release);
    assert_eq!(first.await.unwrap(), Observation::pass());
    assert_eq!(check.check().await, Observation::pass());
}

#[cfg(feature = "disk")]
#[tokio::test]
async fn the_disk_of_this_machine_can_be_read_and_a_missing_path_fails() {
    let here = obs_health::check::DiskCheck::new("/").check().await;
    assert!(here.observed().is_some_and(|(used, _)| (0.0..=1.0).contains(&used)), "{here:?}");
    let strict = obs_health::check::DiskCheck::new("/").fractions(1e-9, 1e-9).unwrap();
    assert_eq!(strict.check().await.health(), Health::Fail);
    let nowhere = obs_health::check::DiskCheck::new("/nonexistent").check().await;
    assert_eq!(nowhere.health(), Health::Fail);
}

#[cfg(all(feature = "http-check", feature = "axum"))]
mod http_check {
    use axum::Router;
    use axum::routing::get;
    use http::StatusCode;
    use obs_health::check::HttpCheck;

    use super::*;

    async fn serve(status: StatusCode) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/ready", listener.local_addr().unwrap());
        let app = Router::new().route("/ready", get(move || async move { status }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        uri
    }

    #[tokio::test]
    async fn the_status_decides() {
        let (fine, broken) = (serve(StatusCode::OK).await, serve(StatusCode::BAD_GATEWAY).await);
        assert_eq!(HttpCheck::new(&fine).unwrap().check().await, Observation::pass());
        let failed = HttpCheck::new(&broken).unwrap().check().await;
        assert_eq!(failed.output(), Some("answered 502 Bad Gateway"));
        let expected = HttpCheck::new(&broken).unwrap().expect_status(StatusCode::BAD_GATEWAY);
        assert_eq!(expected.check().await, Observation::pass());
    }

    #[tokio::test]
    async fn a_refused_connection_names_its_cause() {
        let failed = HttpCheck::new("http://127.0.0.1:1/").unwrap().check().await;
        assert!(failed.output().unwrap().contains("refused"), "{failed:?}");
    }

    #[test]
    fn only_absolute_http_uris_are_taken() {
        for uri in ["https://a/", "/ready", "ftp://a/", "", "http://"] {
            assert!(HttpCheck::new(uri).is_err(), "{uri}");
        }
    }
}
