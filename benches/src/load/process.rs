//! A server as a child of this process.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Variant;

/// A server that runs this very program with `serve VARIANT`; dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What a server used up to now.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Processor time of all its threads.
    pub cpu: Duration,
    /// Memory that it holds, where the system tells.
    pub resident_bytes: Option<u64>,
}

impl Server {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When the program cannot be run, or does not listen.
    pub fn start(variant: Variant) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", variant.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || io::Error::other("a server has no streams");
        let commands = child.stdin.take().ok_or_else(gone)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { address: nowhere, child, commands: Some(commands), answers };
        server.address = server.answer()?.trim().parse().map_err(io::Error::other)?;
        Ok(server)
    }

    /// What it used up to now.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn look(&mut self) -> io::Result<Look> {
        if let Some(commands) = &mut self.commands {
            commands.write_all(b"look\n")?;
        }
        let look: Value = serde_json::from_str(&self.answer()?)?;
        let cpu = Duration::from_nanos(look["cpu_ns"].as_u64().unwrap_or_default());
        Ok(Look { cpu, resident_bytes: look["resident_bytes"].as_u64() })
    }

    /// Stops it and returns its ledger: for lines and for spans how many were created, written,
    /// sampled out and dropped. `null` for a service that is not observed.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn stop(mut self) -> io::Result<Value> {
        self.commands = None;
        let ledger = serde_json::from_str(&self.answer()?)?;
        self.child.wait()?;
        Ok(ledger)
    }

    fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::Error::other("a server ended before it answered"));
        }
        Ok(line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already when it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
