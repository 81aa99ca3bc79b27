//! Servers that run while the tests run.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::folder;
use crate::command::{Failure, Outcome};

const START_TIME_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A server; dropping it stops it.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// The file into which it prints.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It keeps nothing that a clean stop would save; a second error has nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server and waits until it accepts connections on `ports`.
pub(super) fn spawn(name: &str, command: &mut Command, ports: &[u16]) -> Outcome<Running> {
    let log = folder().join("logs").join(format!("{name}.log"));
    fs::create_dir_all(folder().join("logs"))?;
    let output = File::create(&log)?;
    let child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .map_err(|error| Failure::new(format!("{name} cannot be started: {error}")))?;
    let mut running = Running { child, log };
    until(name, || match running.child.try_wait()? {
        None => Ok(ports.iter().all(|port| accepts(*port))),
        Some(status) => {
            let printed = fs::read_to_string(&running.log).unwrap_or_default();
            Err(Failure::new(format!("{name} ended with {status}:\n{printed}")))
        }
    })?;
    Ok(running)
}

/// Waits until `is_ready`, at most a minute.
pub(super) fn until(name: &str, mut is_ready: impl FnMut() -> Outcome<bool>) -> Outcome {
    let mut waited = Duration::ZERO;
    while waited < START_TIME_LIMIT {
        if is_ready()? {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
    Err(Failure::new(format!("{name} was not ready within {START_TIME_LIMIT:?}")))
}

/// A port that nobody listens on now.
pub(super) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn accepts(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
