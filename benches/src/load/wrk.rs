//! Callers by [wrk](https://github.com/wg/wrk), where it is installed.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Measured;
use super::caller::REQUEST;

/// Prints what is wanted in one line, in microseconds.
const DONE: &str = r#"
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("measured %d %d %d %d %d %d\n", summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"#;

/// wrk with the request that is to be sent.
#[derive(Debug)]
pub(super) struct Wrk {
    script: PathBuf,
}

impl Wrk {
    /// `None` when it is not installed.
    pub(super) fn find() -> io::Result<Option<Self>> {
        let mut version = Command::new("wrk");
        if version.arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Ok(None);
        }
        let name = format!("obs-benches-{}.lua", std::process::id());
        let script = std::env::temp_dir().join(name);
        fs::write(&script, script_text())?;
        Ok(Some(Self { script }))
    }

    /// Calls the service at `address` for so many seconds.
    pub(super) fn call(
        &self,
        address: SocketAddr,
        connections: usize,
        seconds: u64,
    ) -> io::Result<Measured> {
        let output = Command::new("wrk")
            .args(["--threads", "1", "--connections", &connections.to_string()])
            .args(["--duration", &format!("{seconds}s"), "--script"])
            .arg(&self.script)
            .arg(format!("http://{address}/orders/4711"))
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        parse(&text).ok_or_else(|| io::Error::other(format!("wrk said\n{text}")))
    }
}

impl Drop for Wrk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.script);
    }
}

/// The headers of [`REQUEST`] as wrk takes them.
fn script_text() -> String {
    let headers = REQUEST.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| format!("wrk.headers[\"{name}\"] = \"{value}\"\n"));
    headers.collect::<String>() + DONE
}

pub(super) fn parse(text: &str) -> Option<Measured> {
    let line = text.lines().find_map(|line| line.strip_prefix("measured "))?;
    let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [answered, errors, elapsed, p50, p99, p999] = numbers[..] else { return None };
    let micros = Duration::from_micros;
    Some(Measured {
        requests: answered.saturating_sub(errors),
        errors,
        elapsed: micros(elapsed),
        p50: micros(p50),
        p99: micros(p99),
        p999: micros(p999),
    })
}
