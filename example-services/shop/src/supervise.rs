//! `shop up --procs`: each service as a process of its own, started again when it ends.
//!
//! No process outlives this one, however it ends: each has the one end of a pipe as its stdin, of
//! which this process holds the other, and stops in order when that is closed.

mod lines;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::args::UpOptions;
use crate::client::Fault;
use crate::lock::DataLock;
use crate::name::{Name, Ports};
use crate::run_file::write_whole;
use crate::running::{DRAIN_LIMIT, FLUSH_LIMIT};
use crate::up::Signals;

/// How long to wait before a process that ended is started again: the first time, and at most.
const RESTART: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A process that ran for so long has not failed at its start.
const STEADY: Duration = Duration::from_secs(10);

/// How often to look whether all are ready.
const LOOK: Duration = Duration::from_millis(10);

/// How long all of them may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the services and keeps them running until SIGINT or SIGTERM; then they drain. A second
/// signal ends them at once.
///
/// The exit code is 0 after a signal, 1 if the services could not be started.
pub async fn supervise(options: UpOptions) -> ExitCode {
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: UpOptions) -> Result<(), Fault> {
    let mut signals = Signals::new()?;
    // Taken to see that nobody else has the data, then left to the processes.
    drop(DataLock::take(&options.data, &options.services)?);
    let base = match options.ports {
        Ports::Fixed => None,
        Ports::From(base) => Some(base),
        Ports::Free => Some(free_base()?),
    };
    let stop = tokio::sync::watch::Sender::new(false);
    let mut keepers = JoinSet::new();
    for name in &options.services {
        let ready = options.data.join("run").join(format!("{name}.ready"));
        let _ = std::fs::remove_file(&ready);
        let keeper = Keeper { name: *name, data: options.data.clone(), base, ready };
        keepers.spawn(keeper.keep(stop.subscribe()));
    }
    let urls = tokio::select! {
        urls = all_ready(&options) => urls?,
        () = signals.next() => BTreeMap::new(),
    };
    if !urls.is_empty() {
        if let Some(file) = &options.ready_file {
            write_whole(file, &serde_json::to_vec_pretty(&urls)?)?;
        }
        if options.json {
            eprintln!("{}", json!({"services": urls}));
        } else {
            eprintln!("\n  the shop is ready, one process per service\n");
            for (name, url) in &urls {
                eprintln!("  {name:<13} {url}");
            }
        }
        signals.next().await;
    }
    eprintln!("shop: stopping all processes");
    stop.send_replace(true);
    let all = async { while keepers.join_next().await.is_some() {} };
    tokio::select! {
        () = all => {}
        // Processes whose keepers are gone are killed.
        () = signals.next() => keepers.shutdown().await,
    }
    if let Some(file) = &options.ready_file {
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}

/// Waits until each process has written down that it is ready.
async fn all_ready(options: &UpOptions) -> Result<BTreeMap<String, String>, Fault> {
    let all = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let mut urls = BTreeMap::new();
            for name in &options.services {
                let file = options.data.join("run").join(format!("{name}.ready"));
                let text = std::fs::read(file).unwrap_or_default();
                urls.extend(
                    serde_json::from_slice::<BTreeMap<String, String>>(&text).unwrap_or_default(),
                );
            }
            if urls.len() == options.services.len() {
                return urls;
            }
        }
    };
    let late = |_| format!("the services were not ready within {} s", PATIENCE.as_secs());
    Ok(tokio::time::timeout(PATIENCE, all).await.map_err(late)?)
}

/// A port from which on there is one for each service.
///
/// Below those that systems give to connections, one of which might have it when a process that
/// ended is to listen there again. Two supervisors begin to look at different places.
fn free_base() -> Result<u16, Fault> {
    const FIRST: u16 = 21_000;
    const ROWS: u16 = 500;
    const WIDTH: u16 = 20;
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let offset = (std::process::id() % u32::from(ROWS)) as u16;
    let mut bases = (0..ROWS).map(|row| FIRST + (row + offset) % ROWS * WIDTH);
    let base = bases.find(|base| (0..Name::ALL.len() as u16).all(|number| free(base + number)));
    base.ok_or_else(|| "there are no free ports in a row".into())
}

/// Keeps the process of one service running.
struct Keeper {
    name: Name,
    data: PathBuf,
    base: Option<u16>,
    ready: PathBuf,
}

impl Keeper {
    async fn keep(self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut wait = RESTART.0;
        loop {
            let began = tokio::time::Instant::now();
            match start(self.name, &self.data, self.base, &self.ready) {
                Ok(Process { mut child, lines, _stdin }) => {
                    let told = tokio::select! {
                        status = child.wait() => {
                            Some(status.map_or_else(|e| e.to_string(), |s| s.to_string()))
                        }
                        () = stopped(&mut stop) => {
                            terminate(&mut child).await;
                            None
                        }
                    };
                    let _ = tokio::time::timeout(FLUSH_LIMIT, lines).await;
                    let Some(told) = told else { return };
                    eprintln!("shop: {} ended ({told}); it is started again", self.name);
                }
                Err(error) => eprintln!("shop: {} cannot be started: {error}", self.name),
            }
            if began.elapsed() >= STEADY {
                wait = RESTART.0;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopped(&mut stop) => return,
            }
            wait = (wait * 2).min(RESTART.1);
        }
    }
}

/// Completes once all are told to stop, or nobody can tell them any more.
async fn stopped(stop: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The process of a service.
struct Process {
    child: Child,
    /// Completes when all of its lines are written.
    lines: oneshot::Receiver<()>,
    /// Dropped, it makes the process stop.
    _stdin: Option<ChildStdin>,
}

fn start(name: Name, data: &Path, base: Option<u16>, ready: &Path) -> std::io::Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg(name.as_str()).arg("--data").arg(data);
    command.arg("--ready-file").arg(ready).arg("--end-with-stdin");
    if let Some(base) = base {
        command.arg("--port-base").arg(base.to_string());
    }
    let (lines, stdout) = std::io::pipe()?;
    // What is for people stays with it. In a group of its own it does not get the terminal's
    // signals, but is told to stop, once.
    command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::null());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn()?;
    // Waiting for the child would close it.
    let _stdin = child.stdin.take();
    // For whoever wants to see what happens when it is killed.
    if let Some(id) = child.id() {
        write_whole(&ready.with_extension("pid"), id.to_string().as_bytes())?;
    }
    Ok(Process { child, lines: lines::forward(lines), _stdin })
}

/// Lets a process drain, as it does when it is told to end.
async fn terminate(child: &mut Child) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::TERM);
    }
    let limit = DRAIN_LIMIT + FLUSH_LIMIT + RESTART.1;
    if tokio::time::timeout(limit, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
