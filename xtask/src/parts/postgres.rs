//! PostgreSQL, in a folder that is made anew for each run.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::debian;
use super::process::{Running, free_port, spawn};
use crate::command::{Failure, Outcome, capture, run};

pub(super) fn install() -> Outcome {
    if program("initdb").is_ok() {
        return Ok(());
    }
    debian::install(&["postgresql"])
}

/// A server that trusts everybody on 127.0.0.1, and the URL of its database.
pub(super) fn start() -> Outcome<(Running, String)> {
    let port = free_port()?;
    // Not under the workspace: the user that the server runs as may not be able to reach it.
    let folder = std::env::temp_dir().join("obs-aws-postgres");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    if is_root()? {
        run(Command::new("chown").arg("postgres:").arg(&folder))?;
    }
    let data = folder.join("data");
    run(as_server_user(program("initdb")?)?
        .args(["--auth=trust", "--no-sync", "--username=postgres", "-D"])
        .arg(&data)
        .stdout(Stdio::null()))?;
    let mut server = as_server_user(program("postgres")?)?;
    server.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-D"]).arg(&data).args([
        "-c",
        "unix_socket_directories=",
        "-c",
        "fsync=off",
    ]);
    let running = spawn("postgres", &mut server, &[port])?;
    Ok((running, format!("postgres://postgres@127.0.0.1:{port}/postgres")))
}

/// PostgreSQL refuses to run as root; Debian's package brings the user `postgres` for it.
fn as_server_user(program: PathBuf) -> Outcome<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir("/");
    Ok(command)
}

fn is_root() -> Outcome<bool> {
    Ok(capture(Command::new("id").arg("-u"))?.trim() == "0")
}

/// A program of the newest version installed: Debian keeps the server's out of `PATH`.
fn program(name: &str) -> Outcome<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|program| program.is_file());
    found.sort();
    let found = found.pop().or_else(|| debian::which(name));
    found.ok_or_else(|| Failure::new(format!("{name} of PostgreSQL is not installed")))
}
