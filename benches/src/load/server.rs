//! A service in a process of its own, told what to do over its standard input.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use obs_core::telemetry::Telemetry;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::Variant;
use crate::cpu::Used;

/// How long what is still queued may take at the end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// Serves `variant` on a free port of 127.0.0.1 until `commands` ends.
///
/// `answers` gets the address; for each line of `commands` the processor time and the memory in use;
/// and after the last of them the ledger, each as a line.
///
/// # Errors
/// When the port or the streams fail.
pub fn serve(variant: Variant, commands: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    let (router, telemetry) = variant.build()?;
    let runtime = Runtime::new()?;
    writeln!(answers, "{}", listen(&runtime, router)?)?;
    for command in commands.lines() {
        command?;
        writeln!(answers, "{}", look()?)?;
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
    writeln!(answers, "{}", telemetry.as_ref().map_or(Value::Null, ledger))
}

/// Serves in the background of `runtime`.
pub(super) fn listen(runtime: &Runtime, router: Router) -> io::Result<SocketAddr> {
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn look() -> io::Result<Value> {
    let cpu_ns = Used::now().process.as_nanos() as u64;
    Ok(json!({ "cpu_ns": cpu_ns, "resident_bytes": resident()? }))
}

/// Memory that the process holds, where the system tells.
fn resident() -> io::Result<Option<u64>> {
    let status = match std::fs::read_to_string("/proc/self/status") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        status => status?,
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.map(|kib| kib * 1_024))
}

/// What became of every line and every span.
fn ledger(telemetry: &Telemetry) -> Value {
    let report = telemetry.shutdown(SHUTDOWN_LIMIT).report;
    let (lines, spans) = (report.lines, report.spans);
    json!({
        "lines": {
            "created": lines.created,
            "written": lines.written,
            "sampled_out": lines.sampled_out,
            "dropped": lines.dropped(),
        },
        "spans": {
            "created": spans.created,
            "written": spans.exported,
            "sampled_out": spans.sampled_out,
            "dropped": spans.dropped.total(),
        },
    })
}
