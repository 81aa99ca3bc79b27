//! `shop up`: all services, or some, until a signal ends them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::environment::Environment;
use obs_core::output::{DropReason, Output, RotatingFile};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::args::UpOptions;
use crate::client::Fault;
use crate::install;
use crate::name::Name;
use crate::record::{FileExporter, Files};
use crate::run_file::{RunFile, was_killed, write_whole};
use crate::running::{Plan, Running, Stopped};

/// Starts the services and serves until SIGINT or SIGTERM, or the end of stdin if that is wanted; a
/// second signal ends at once.
///
/// Lines go to stdout, what is meant for a person to stderr. The exit code is 0 after a signal,
/// even if lines were lost, which is told; 1 if the services could not be started.
///
/// How long the start took, from `began`, is told, and written to where `shop status` finds it.
pub async fn up(options: UpOptions, environment: Environment, began: Instant) -> ExitCode {
    match run(options, environment, began).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut told = format!("shop: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                told.push_str(&format!(": {error}"));
                cause = error.source();
            }
            eprintln!("{told}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: UpOptions, environment: Environment, began: Instant) -> Result<(), Fault> {
    allow_many_files();
    // Before anything is written: a signal during the start must not kill what has begun to write.
    let mut signals = Signals::new()?;
    if options.end_with_stdin {
        signals = signals.and_end_of_stdin();
    }
    let process = process(&options.services);
    let files = Files::under(&options.data);
    if was_killed(&options.data, &process) {
        files.note_kill(&process)?;
    }
    let (lines, spans) = files.open(&process)?;
    let mut output = Output::builder().stdout().destination(lines);
    if let Some(path) = environment.get("SHOP_LOG_FILE") {
        output = output.destination(log_file(Path::new(path))?);
    }
    let output = output.build()?;
    let spans = Arc::new(Mutex::new(spans));
    install(&output, &environment)?;
    let plan = Plan {
        data: options.data.clone(),
        ports: options.ports,
        services: options.services,
        output,
        span_exporters: Some(Arc::new(move |name, also| {
            Box::new(FileExporter::new(name.as_str(), Arc::clone(&spans), also))
        })),
        environment,
    };
    let running = tokio::select! {
        running = Running::start(plan) => running?,
        () = signals.next() => return Ok(()),
    };
    let urls = running.urls();
    let ready_after = Clock::system().now() - began;
    let run_file = RunFile::write(&options.data, &process, &urls, ready_after)?;
    if let Some(file) = &options.ready_file {
        write_whole(file, &serde_json::to_vec_pretty(&urls)?)?;
    }
    if options.json {
        let ready_after_ms = ready_after.as_millis() as u64;
        tell(&json!({"ready_after_ms": ready_after_ms, "services": urls}).to_string());
    } else {
        let (table, data) = (table(&urls, ready_after), options.data.display());
        tell(&format!("{table}\n  data in {data}; Ctrl-C stops\n"));
    }

    signals.next().await;
    if !options.json {
        tell("shop: draining; a second signal ends at once");
    }
    tokio::select! {
        stopped = running.stop() => {
            let told = if options.json { account(&stopped).to_string() } else { farewell(&stopped) };
            tell(&told);
        }
        () = signals.next() => std::process::exit(130),
    }
    if let Some(file) = &options.ready_file {
        // It says that the services are ready, which they no longer are; so does the other.
        let _ = std::fs::remove_file(file);
    }
    drop(run_file);
    // Not by way of the runtime: it would wait for a thread that writes to a pipe nobody reads.
    std::process::exit(0)
}

/// A second file for lines, where a log shipper beside the process finds them.
fn log_file(path: &Path) -> Result<RotatingFile, Fault> {
    let named = |error| format!("SHOP_LOG_FILE = {path:?}: {error}");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(named)?;
    }
    Ok(RotatingFile::open(path, LOG_FILE_BYTES, LOG_FILES_KEPT).map_err(named)?)
}

/// The most bytes of the second file before it is rotated: 32 MiB.
const LOG_FILE_BYTES: u64 = 32 * 1024 * 1024;

/// How many older ones are kept beside it.
const LOG_FILES_KEPT: u32 = 3;

/// What a process is called after the services it runs.
fn process(services: &[Name]) -> String {
    if services.len() == Name::ALL.len() {
        return "shop".to_owned();
    }
    services.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("+")
}

/// Raises the limit of open files as far as is allowed: in one process each call between services
/// takes two, and many systems allow 1,024 unless asked.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the shop works all the same, with fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// A person who has closed the terminal is no reason to fail.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn table(urls: &BTreeMap<&'static str, String>, ready_after: Duration) -> String {
    let mut table = format!("\n  the shop is ready after {} ms\n\n", ready_after.as_millis());
    for name in Name::ALL {
        if let Some(url) = urls.get(name.as_str()) {
            table.push_str(&format!("  {name:<13} {url:<22} {}\n", name.serves()));
        }
    }
    table
}

/// What [`farewell`] tells, for a program.
fn account(stopped: &Stopped) -> Value {
    let Stopped { finished, flushed, lines } = stopped;
    let dropped: BTreeMap<&str, u64> = DropReason::ALL
        .into_iter()
        .map(|reason| (reason.as_str(), lines.dropped_for(reason)))
        .filter(|(_, count)| *count > 0)
        .collect();
    json!({
        "finished": finished,
        "flushed": flushed,
        "lines_created": lines.created,
        "lines_written": lines.written,
        "lines_dropped": dropped,
    })
}

fn farewell(stopped: &Stopped) -> String {
    let Stopped { finished, flushed, lines } = stopped;
    let mut text = format!("shop: stopped; {} of {} lines written", lines.written, lines.created);
    for reason in DropReason::ALL {
        match lines.dropped_for(reason) {
            0 => {}
            dropped => text.push_str(&format!(", {dropped} dropped ({})", reason.as_str())),
        }
    }
    if !finished {
        text.push_str("; some requests did not finish in time");
    }
    if !flushed {
        text.push_str("; some telemetry did not get out in time");
    }
    text
}

/// What asks a process to end: two signals, and the end of stdin if that is wanted.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Completes at the end of stdin, which comes once.
    stdin: Option<oneshot::Receiver<()>>,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())?, stdin: None })
    }

    /// Also the end of stdin, of which nothing is kept.
    fn and_end_of_stdin(self) -> Self {
        let (ended, stdin) = oneshot::channel();
        // A thread of its own, which the end of the process does not wait for.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = ended.send(());
        });
        Self { stdin: Some(stdin), ..self }
    }

    /// Completes with the next of them. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = ended(&mut self.stdin) => {}
        }
    }
}

async fn ended(stdin: &mut Option<oneshot::Receiver<()>>) {
    match stdin {
        Some(end) => {
            let _ = end.await;
            *stdin = None;
        }
        None => std::future::pending().await,
    }
}
