//! A process that is told to stop leaves every line behind. Runs itself as that process.

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use obs_core::environment::Environment;
    use obs_core::telemetry::{Telemetry, shutdown_signal};

    const CHILD: &str = "as-the-child";
    const LINES: usize = 1_000;

    pub(super) fn main() {
        if std::env::args().any(|argument| argument == CHILD) {
            return child();
        }
        for runtime in ["current-thread", "multi-thread"] {
            sigterm_ends_the_process_with_every_line_written(runtime);
            eprintln!("sigterm_ends_the_process_with_every_line_written ({runtime}) ... ok");
        }
    }

    fn child() {
        let multi = std::env::args().any(|argument| argument == "multi-thread");
        let mut runtime = if multi {
            tokio::runtime::Builder::new_multi_thread()
        } else {
            tokio::runtime::Builder::new_current_thread()
        };
        let runtime = runtime.enable_all().build().expect("a runtime can be built");
        let telemetry = Telemetry::builder("child")
            .environment(Environment::empty())
            .build()
            .expect("nothing is configured");
        telemetry.install_global().expect("the process has none yet");
        runtime.block_on(async {
            let mut signal = std::pin::pin!(shutdown_signal());
            // The first poll installs the handlers; only then the parent may send the signal.
            let pending = std::future::poll_fn(|context| {
                std::task::Poll::Ready(signal.as_mut().poll(context).is_pending())
            });
            assert!(pending.await, "no signal was sent yet");
            tracing::info!("ready");
            signal.await.expect("handlers can be installed");
            for number in 0..LINES {
                tracing::info!(number, "last words");
            }
            let report = telemetry.shutdown(Duration::from_secs(30));
            assert!(report.complete && report.report.lines.is_conserved(), "{report:?}");
        });
    }

    fn sigterm_ends_the_process_with_every_line_written(runtime: &str) {
        let program = std::env::current_exe().expect("a process knows its program");
        let mut child = Command::new(program)
            .args([CHILD, runtime])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program that runs can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let first = lines.next().expect("a line comes").expect("it can be read");
        assert!(first.contains("\"message\":\"ready\""), "{first}");

        terminate(&child);
        let rest: Vec<String> = lines.map(|line| line.expect("it can be read")).collect();
        let status = child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        assert_eq!(rest.len(), LINES);
        for (number, line) in rest.iter().enumerate() {
            assert!(line.ends_with(&format!(",\"number\":{number}}}")), "{line}");
        }
    }

    fn terminate(child: &Child) {
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }
}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {}
