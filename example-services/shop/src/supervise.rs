//! `shop up --procs`: each service as a process of its own, started again when it ends.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::args::UpOptions;
use crate::client::Fault;
use crate::lock::DataLock;
use crate::name::{Name, Ports};
use crate::run_file::write_whole;
use crate::up::Signals;

/// How long to wait before a process that ended is started again: the first time, and at most.
const RESTART: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A process that ran for so long has not failed at its start.
const STEADY: Duration = Duration::from_secs(10);

/// How often to look whether all are ready.
const LOOK: Duration = Duration::from_millis(10);

/// How long all of them may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the services and keeps them running until SIGINT or SIGTERM, which they get, too.
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
        eprintln!("\n  the shop is ready, one process per service\n");
        for (name, url) in &urls {
            eprintln!("  {name:<13} {url}");
        }
        signals.next().await;
    }
    eprintln!("shop: stopping all processes");
    stop.send_replace(true);
    while keepers.join_next().await.is_some() {}
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
fn free_base() -> Result<u16, Fault> {
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let base = first.local_addr()?.port();
        let others = 1..Name::ALL.len() as u16;
        let free =
            |offset| TcpListener::bind((Ipv4Addr::LOCALHOST, base.checked_add(offset)?)).ok();
        let others: Option<Vec<_>> = others.map(free).collect();
        if base <= Ports::HIGHEST_BASE && others.is_some() {
            return Ok(base);
        }
    }
    Err("there are no free ports in a row".into())
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
                Ok(mut child) => tokio::select! {
                    status = child.wait() => {
                        let status = status.map_or_else(|e| e.to_string(), |s| s.to_string());
                        eprintln!("shop: {} ended ({status}); it is started again", self.name);
                    }
                    () = stopped(&mut stop) => {
                        terminate(&mut child).await;
                        return;
                    }
                },
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

fn start(name: Name, data: &Path, base: Option<u16>, ready: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg(name.as_str()).arg("--data").arg(data);
    command.arg("--ready-file").arg(ready);
    if let Some(base) = base {
        command.arg("--port-base").arg(base.to_string());
    }
    // Lines of all processes go where those of this one go; what is for people stays with it.
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
    // For whoever wants to see what happens when it is killed.
    if let Some(id) = child.id() {
        write_whole(&ready.with_extension("pid"), id.to_string().as_bytes())?;
    }
    Ok(child)
}

/// Lets a process drain, as it does when it is told to end.
async fn terminate(child: &mut Child) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::TERM);
    }
    let limit = crate::running::DRAIN_LIMIT + crate::running::FLUSH_LIMIT + RESTART.1;
    if tokio::time::timeout(limit, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
