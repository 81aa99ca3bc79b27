//! What would be uploaded builds, and a stranger who has it and the documents gets what they show.

mod errors;
mod guides;
mod lines;
mod page;
mod project;
mod service;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use project::{Project, Sources};
use service::Service;

use crate::command::{Failure, Outcome, cargo, run};
use crate::workspace::{Member, members, metadata, root};

/// Packs the five crates, which are the workspace's default members, and builds what was packed.
pub(super) fn pack() -> Outcome {
    let target = packed()?;
    forget_last_packed(&target)?;
    run(cargo(&["package", "--allow-dirty", "--target-dir"]).arg(target))
}

/// Where crates are packed, and what was packed is built.
fn packed() -> Outcome<PathBuf> {
    Ok(target()?.join("packed"))
}

fn target() -> Outcome<PathBuf> {
    let metadata = metadata()?;
    Ok(PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target")))
}

/// Removes what was built when the crates were packed before, and what cargo unpacked of them.
///
/// To build one of them it gives those it depends on a registry of their own, at a path that is the
/// same each time. What it has of that path and this version is never new to it.
fn forget_last_packed(target: &Path) -> Outcome {
    remove(target)?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(sources) = home.map(|home| home.join("registry/src")) else { return Ok(()) };
    if !sources.is_dir() {
        return Ok(());
    }
    let members = members()?;
    for registry in fs::read_dir(sources)? {
        let registry = registry?;
        // Those of registries without a host: folders of this machine.
        if !registry.file_name().to_string_lossy().starts_with('-') {
            continue;
        }
        for member in members.iter().filter(|member| member.is_published) {
            remove(&registry.path().join(stem(member)))?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Outcome {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// What an archive of the crate, and its folder, are called.
fn stem(member: &Member) -> String {
    format!("{}-{}", member.name, env!("CARGO_PKG_VERSION"))
}

/// Follows the documents from empty folders, with what was packed last.
pub(super) fn adopt() -> Outcome {
    let crates = unpack()?;

    let readme = page::read("README.md")?;
    let first = Sources {
        name: "first".to_owned(),
        dependencies: readme.block("toml")?.to_owned(),
        main: "docs/examples/orders.rs",
    };
    let service = Project::write(&crates, &first)?.serve()?;
    service.ask("/orders/7", &["x-correlation-id"])?;
    let printed = service.stop(2)?;
    lines::compare(&printed, &readme)?;
    lines::compare(&printed, &page::read("obs-tower/README.md")?)?;

    let guide = page::read("docs/guides/axum.md")?;
    let adopted = Sources {
        name: "adopted".to_owned(),
        dependencies: format!("{BEFORE}{}", guide.block("toml")?),
        main: "docs/examples/adopt_after.rs",
    };
    let service = Project::write(&crates, &adopted)?.serve()?;
    try_adopted(&service)?;
    lines::compare(&service.stop(3)?, &guide)?;

    let mistakes = Sources {
        name: "mistakes".to_owned(),
        dependencies: format!("{BEFORE}{MISTAKES}"),
        main: "docs/examples/adopt_before.rs",
    };
    errors::compare(&Project::write(&crates, &mistakes)?)?;
    guides::try_all(&crates)
}

/// What those depend on who make the mistakes of `docs/compile_errors`, which forgot `load-shed`.
const MISTAKES: &str = "bytes = \"1\"\nhttp-body-util = \"0.1\"\n\
    tower = { version = \"0.5\", features = [\"util\"] }\n\
    obs-aws-core = \"0.1\"\nobs-aws-health = \"0.1\"\nobs-aws-ratelimit = \"0.1\"\n\
    obs-aws-tower = { version = \"0.1\", features = \
    [\"axum\", \"bulkhead\", \"circuit-breaker\", \"fallback\", \"timeout\"] }\n";

/// The dependencies of the service before it is observed, `docs/examples/adopt_before.rs`.
const BEFORE: &str = "axum = \"0.8\"\n\
    tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\"] }\n";

/// Everything that the guide promises is there.
fn try_adopted(service: &Service) -> Outcome {
    service.ask("/orders/7", &["x-correlation-id", "ratelimit"])?;
    for probe in ["/health", "/ready", "/live"] {
        service.ask(probe, &[])?;
    }
    let circuits = service.ask("/health/circuits", &[])?;
    let guide = page::read("docs/guides/health.md")?;
    match circuits.ends_with(guide.block("json")?.trim_end()) {
        true => Ok(()),
        false => Err(Failure::new(format!("{} shows other circuits than {circuits}", guide.path))),
    }
}

/// Unpacks what was packaged; the name and the folder of each crate.
fn unpack() -> Outcome<Vec<(String, PathBuf)>> {
    let (folder, archives) = (target()?.join("scratch"), packed()?.join("package"));
    fs::create_dir_all(&folder)?;
    let mut crates = Vec::new();
    for member in members()?.into_iter().filter(|member| member.is_published) {
        let stem = stem(&member);
        let archive = archives.join(format!("{stem}.crate"));
        remove(&folder.join(&stem))?;
        // Without the times in the archive, which are the same whatever has changed.
        run(Command::new("tar").arg("-xzmf").arg(archive).arg("-C").arg(&folder))?;
        crates.push((member.name, folder.join(stem)));
    }
    Ok(crates)
}

/// The text of a file of the workspace.
fn read(path: &str) -> Outcome<String> {
    fs::read_to_string(root().join(path)).map_err(|error| Failure::new(format!("{path}: {error}")))
}
