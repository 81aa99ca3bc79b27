//! `shop up`: all services, or some, until a signal ends them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use obs_core::environment::Environment;
use obs_core::output::{DropReason, Output, RotatingFile};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::UpOptions;
use crate::client::Fault;
use crate::install;
use crate::name::Name;
use crate::record::{FileExporter, Files};
use crate::run_file::{RunFile, was_killed, write_whole};
use crate::running::{Plan, Running, Stopped};

/// Starts the services and serves until SIGINT or SIGTERM; a second signal ends at once.
///
/// Lines go to stdout, what is meant for a person to stderr. The exit code is 0 after a signal,
/// even if lines were lost, which is told; 1 if the services could not be started.
pub async fn up(options: UpOptions, environment: Environment) -> ExitCode {
    match run(options, environment).await {
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

async fn run(options: UpOptions, environment: Environment) -> Result<(), Fault> {
    allow_many_files();
    // Before anything is written: a signal during the start must not kill what has begun to write.
    let mut signals = Signals::new()?;
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
    let run_file = RunFile::write(&options.data, &process, &urls)?;
    if let Some(file) = &options.ready_file {
        write_whole(file, &serde_json::to_vec_pretty(&urls)?)?;
    }
    tell(&format!("{}\n  data in {}; Ctrl-C stops\n", table(&urls), options.data.display()));

    signals.next().await;
    tell("shop: draining; a second signal ends at once");
    tokio::select! {
        stopped = running.stop() => tell(&farewell(&stopped)),
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

fn table(urls: &BTreeMap<&'static str, String>) -> String {
    let mut table = String::from("\n  the shop is ready\n\n");
    for name in Name::ALL {
        if let Some(url) = urls.get(name.as_str()) {
            table.push_str(&format!("  {name:<10} {url:<22} {}\n", name.serves()));
        }
    }
    table
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

/// Both signals that ask a process to end.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
