//! Parts that the system's package manager brings.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{Failure, Outcome, run};

/// The path of a program that is on `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Installs packages with apt-get; says what to install where that is not possible.
pub(crate) fn install(packages: &[&str]) -> Outcome {
    let advice = format!("install {} with your package manager", packages.join(", "));
    if which("apt-get").is_none() {
        return Err(Failure::new(advice));
    }
    let quiet = ["-qq", "-o", "Dpkg::Use-Pty=0"];
    let install = |packages: &[&str]| {
        let arguments = ["install", "--yes", "--no-install-recommends"];
        run(apt_get().args(quiet).args(arguments).args(packages))
    };
    if install(packages).is_ok() {
        return Ok(());
    }
    // On a fresh machine the list of packages is empty until it is updated.
    run(apt_get().args(quiet).arg("update"))
        .and_then(|()| install(packages))
        .map_err(|error| Failure::new(format!("{error}; {advice}")))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
