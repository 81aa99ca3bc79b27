use std::path::Path;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::finding::{Finding, Found};
use crate::run_file::{processes, running};
use crate::running::messaging;
use shop_domain::port::messaging::Queue;

/// Which services run, how they are, how long their processes took to start and how much memory they
/// hold, and how full their queues are.
pub(super) async fn status(data: &Path) -> Found {
    let services = running(data)?;
    let asked = services.iter().map(|(name, url)| async move {
        let answer = Client::new(url).send(Method::GET, "/health", &[], None).await;
        let health = match answer {
            Ok(answer) => answer.body["status"].as_str().unwrap_or("unknown").to_owned(),
            Err(_) => "unreachable".to_owned(),
        };
        (name.clone(), url.clone(), health)
    });
    let services = join_all(asked).await;
    let good = services.iter().all(|(_, _, health)| matches!(health.as_str(), "pass" | "warn"));
    let broker = messaging::open(data)?;
    let mut queues = Vec::new();
    for queue in broker.queues() {
        queues.push((queue.name().to_owned(), queue.depth().await?));
    }

    let processes: Vec<_> =
        processes(data)?.into_iter().map(|one| (Memory::of(one.pid), one)).collect();

    let mut text = String::new();
    for (name, url, health) in &services {
        text.push_str(&format!("  {name:<13} {url:<24} {health}\n"));
    }
    text.push('\n');
    for (memory, process) in &processes {
        let (name, pid, ms) = (&process.name, process.pid, process.ready_after_ms);
        text.push_str(&format!("  {name:<13} process {pid}, ready after {ms} ms"));
        if let Some(Memory { resident_bytes, peak_bytes }) = memory {
            let (now, peak) = (resident_bytes / 1_000_000, peak_bytes / 1_000_000);
            text.push_str(&format!(", {now} MB resident, {peak} MB at most"));
        }
        text.push('\n');
    }
    text.push('\n');
    for (name, depth) in queues.iter().filter(|(_, depth)| depth.total() > 0) {
        let age = depth.oldest_age_ms / 1_000;
        text.push_str(&format!("  {name:<32} {:>6} messages, the oldest {age} s\n", depth.total()));
    }
    if queues.iter().all(|(_, depth)| depth.total() == 0) {
        text.push_str("  all queues are empty\n");
    }
    let services: Vec<Value> = services
        .into_iter()
        .map(|(name, url, health)| json!({"service": name, "url": url, "health": health}))
        .collect();
    let processes: Vec<Value> = processes
        .into_iter()
        .map(|(memory, process)| {
            json!({
                "process": process.name,
                "pid": process.pid,
                "ready_after_ms": process.ready_after_ms,
                "resident_bytes": memory.as_ref().map(|memory| memory.resident_bytes),
                "peak_resident_bytes": memory.as_ref().map(|memory| memory.peak_bytes),
            })
        })
        .collect();
    let queues: Vec<Value> = queues
        .into_iter()
        .map(|(name, depth)| {
            json!({
                "queue": name,
                "visible": depth.visible,
                "in_flight": depth.in_flight,
                "delayed": depth.delayed,
                "oldest_age_ms": depth.oldest_age_ms,
            })
        })
        .collect();
    let json = json!({"services": services, "processes": processes, "queues": queues});
    Ok(Finding { good, json, text })
}

/// How much memory a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory {
    resident_bytes: u64,
    peak_bytes: u64,
}

impl Memory {
    /// As [`/proc/{pid}/status`](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html) has
    /// it; `None` on other systems, and for a process that has ended.
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes = rest.trim().strip_suffix(" kB")?;
            kibibytes.parse::<u64>().ok()?.checked_mul(1024)
        };
        Some(Self { resident_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_system_tells_it() {
        let status = "Name:\tshop\nVmHWM:\t   44032 kB\nVmRSS:\t   40960 kB\n";
        let memory = Memory { resident_bytes: 41_943_040, peak_bytes: 45_088_768 };
        assert_eq!(Memory::parse(status), Some(memory));
        for other in ["", "VmRSS:\t1 kB\n", "VmHWM:\tx kB\nVmRSS:\t1 kB\n"] {
            assert_eq!(Memory::parse(other), None, "{other}");
        }
    }
}
