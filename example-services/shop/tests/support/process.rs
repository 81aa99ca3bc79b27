use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Client;

/// Far longer than a start or a stop takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often to look whether something has happened in the other process.
const LOOK: Duration = Duration::from_millis(10);

/// The built `shop`, running; killed when dropped.
#[derive(Debug)]
pub struct ShopProcess {
    child: Child,
    urls: BTreeMap<String, String>,
    told: Receiver<String>,
}

impl ShopProcess {
    /// `shop up` on free ports, with stdout as `stdout` has it; returns once it is ready.
    pub async fn up(data: &Path, environment: &[(&str, &str)], stdout: Stdio) -> Self {
        let options = ["--port-base", "0"];
        Self::up_with(data, &options, environment, stdout).await
    }

    pub async fn up_with(
        data: &Path,
        options: &[&str],
        environment: &[(&str, &str)],
        stdout: Stdio,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command.env_clear().envs(environment.iter().copied());
        Self::up_by(command, data, options, stdout).await
    }

    /// As [`Self::up_with`], by a command to which the arguments are added.
    pub async fn up_by(mut command: Command, data: &Path, options: &[&str], stdout: Stdio) -> Self {
        let ready = data.join(READY_FILE);
        let _ = std::fs::remove_file(&ready);
        command.arg("up").arg("--data").arg(data).arg("--ready-file").arg(&ready).args(options);
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let told = collect(child.stderr.take().unwrap());
        let mut this = Self { child, urls: BTreeMap::new(), told };
        until(|| {
            if let Some(status) = this.child.try_wait().unwrap() {
                panic!("{status}: {}", this.told.recv().unwrap());
            }
            ready.exists()
        })
        .await;
        this.urls = serde_json::from_slice(&std::fs::read(ready).unwrap()).unwrap();
        this
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn client(&self, service: &str) -> Client {
        Client::new(&self.urls[service])
    }

    pub fn address(&self, service: &str) -> SocketAddr {
        self.urls[service].trim_start_matches("http://").parse().unwrap()
    }

    pub fn gateway(&self) -> Client {
        self.client("gateway")
    }

    /// The text of stdout, once it has ended; for a process whose stdout is piped.
    pub fn stdout(&mut self) -> Receiver<String> {
        collect(self.child.stdout.take().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).unwrap();
    }

    /// SIGKILL: nothing in it gets a chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end, for `limit` at most; `None` if it still runs.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(limit, ended).await.ok()
    }

    /// SIGTERM, then what it told on stderr; it must end well and in time.
    pub async fn terminate(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.wait(PATIENCE).await.expect("an end");
        assert!(status.success(), "{status}");
        self.told()
    }

    /// What it told on stderr, once it has ended.
    pub fn told(&self) -> String {
        self.told.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for ShopProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const READY_FILE: &str = "ready.json";

/// Reads a pipe to its end, in a thread: a pipe that is not read blocks who writes to it.
fn collect(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            text.push_str(&line);
            text.push('\n');
        }
        let _ = sender.send(text);
    });
    receiver
}

/// Waits until `happened`, in another process, whose events nobody here can await.
pub async fn until(mut happened: impl FnMut() -> bool) {
    let looking = async {
        while !happened() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it happens in time");
}

/// As [`until`], for what takes a request to find out.
pub async fn until_async<F: Future<Output = bool>>(mut happened: impl FnMut() -> F) {
    let looking = async {
        while !happened().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it happens in time");
}

/// Ports for all services that are free now, below those that connections are given; no two calls
/// get the same.
pub fn free_ports() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let offset = std::process::id() as u16 % 500;
    loop {
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(number < 500, "some ports are free");
        let base = 11_000 + (number + offset) % 500 * 20;
        if (base..base + 11).all(free) {
            return base;
        }
    }
}
