//! Redis: a single server, and a cluster of three masters.

use std::fs;
use std::process::Command;

use super::process::{Running, free_port, spawn, until};
use super::{debian, folder};
use crate::command::{Outcome, capture, run};

const CLUSTER_SIZE: usize = 3;

pub(super) fn install() -> Outcome {
    if debian::which("redis-server").is_some() && debian::which("redis-cli").is_some() {
        return Ok(());
    }
    debian::install(&["redis-server", "redis-tools"])
}

/// A server without persistence, and its URL.
pub(super) fn start_single() -> Outcome<(Running, String)> {
    let port = free_port()?;
    let running = spawn("redis", &mut server("redis", port)?, &[port])?;
    Ok((running, format!("redis://127.0.0.1:{port}")))
}

/// Three masters that share the slots, and their URLs separated by commas.
pub(super) fn start_cluster() -> Outcome<(Vec<Running>, String)> {
    let mut nodes = Vec::new();
    let mut addresses = Vec::new();
    for index in 0..CLUSTER_SIZE {
        let (port, bus) = (free_port()?, free_port()?);
        let name = format!("redis-cluster-{index}");
        let mut command = server(&name, port)?;
        command.args(["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]).args([
            "--cluster-port",
            &bus.to_string(),
            "--cluster-node-timeout",
            "2000",
        ]);
        nodes.push(spawn(&name, &mut command, &[port, bus])?);
        addresses.push(format!("127.0.0.1:{port}"));
    }
    run(Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&addresses)
        .args(["--cluster-replicas", "0", "--cluster-yes"])
        .stdout(std::process::Stdio::null()))?;
    until("the Redis cluster", || Ok(addresses.iter().all(|address| is_ready(address))))?;
    let urls: Vec<String> = addresses.iter().map(|address| format!("redis://{address}")).collect();
    Ok((nodes, urls.join(",")))
}

fn server(name: &str, port: u16) -> Outcome<Command> {
    let data = folder().join("data").join(name);
    // A node that finds the state of an earlier cluster does not join the new one.
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    fs::create_dir_all(&data)?;
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(data);
    Ok(command)
}

fn is_ready(address: &str) -> bool {
    let (host, port) = address.split_once(':').unwrap_or((address, "6379"));
    let mut info = Command::new("redis-cli");
    info.args(["-h", host, "-p", port, "cluster", "info"]);
    capture(&mut info).is_ok_and(|info| info.contains("cluster_state:ok"))
}
