//! A service that runs, is asked, and is stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::lines;
use crate::command::{Failure, Outcome};

/// What operators show to see circuits.
const TOKEN: &str = "a token of a test, long enough";

/// A service on a port of this machine; it is killed when it is dropped.
pub(super) struct Service {
    process: Child,
    port: u16,
}

impl Service {
    pub(super) fn start(program: &Path, port: u16) -> Outcome<Self> {
        let mut command = Command::new(program);
        command.env("OBS_ADMIN_TOKEN", TOKEN).stdout(Stdio::piped());
        let process = command.spawn()?;
        Ok(Self { process, port })
    }

    /// Asks as `curl` would, and returns the answer, which must be good and carry `headers`.
    pub(super) fn ask(&self, path: &str, headers: &[&str]) -> Outcome<String> {
        let mut stream = (0..100)
            .find_map(|_| {
                let stream = TcpStream::connect(("127.0.0.1", self.port));
                stream.inspect_err(|_| thread::sleep(Duration::from_millis(50))).ok()
            })
            .ok_or_else(|| Failure::new("the service did not listen within 5 s"))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: curl/7.88.1\r\n\
             authorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let has = |header: &&str| answer.contains(&format!("\r\n{header}: "));
        if answer.starts_with("HTTP/1.1 200") && headers.iter().all(has) {
            return Ok(answer);
        }
        Err(Failure::new(format!("{path} was answered with {answer}")))
    }

    /// The first `count` lines that it wrote.
    pub(super) fn stop(mut self, count: usize) -> Outcome<Vec<Value>> {
        let output = self.process.stdout.take();
        let output = output.ok_or_else(|| Failure::new("the service has no output"))?;
        BufReader::new(output).lines().take(count).map(|line| lines::parse(&line?)).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
