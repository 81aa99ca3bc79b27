//! What would be uploaded builds, and a stranger who has it and the documents gets what they show.

mod errors;
mod lines;
mod page;
mod project;
mod service;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use project::{Project, Sources};
use service::Service;

use crate::command::{Failure, Outcome, cargo, run};
use crate::workspace::{Member, members, metadata, root};

/// Packs the five crates, which are the workspace's default members, and builds what was packed.
pub(super) fn pack() -> Outcome {
    run(&mut cargo(&["package", "--allow-dirty"]))
}

/// Follows the documents from empty folders, with what was packed last.
pub(super) fn adopt() -> Outcome {
    let crates = unpack()?;

    let readme = page::read("README.md")?;
    let first = Sources {
        name: "first",
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
        name: "adopted",
        dependencies: format!("{BEFORE}{}", guide.block("toml")?),
        main: "docs/examples/adopt_after.rs",
    };
    let service = Project::write(&crates, &adopted)?.serve()?;
    try_adopted(&service)?;
    lines::compare(&service.stop(3)?, &guide)?;

    let mistakes = Sources {
        name: "mistakes",
        dependencies: format!("{BEFORE}{MISTAKES}"),
        main: "docs/examples/adopt_before.rs",
    };
    errors::compare(&Project::write(&crates, &mistakes)?)
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
    match circuits.contains("\"orders\"") {
        true => Ok(()),
        false => {
            Err(Failure::new(format!("/health/circuits does not list the breaker: {circuits}")))
        }
    }
}

/// Unpacks what was packaged; the name and the folder of each crate.
fn unpack() -> Outcome<Vec<(String, PathBuf)>> {
    let metadata = metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let folder = target.join("scratch");
    fs::create_dir_all(&folder)?;
    let mut crates = Vec::new();
    for Member { name, .. } in members()?.into_iter().filter(|member| member.is_published) {
        let stem = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = target.join("package").join(format!("{stem}.crate"));
        run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
        crates.push((name, folder.join(stem)));
    }
    Ok(crates)
}

/// The text of a file of the workspace.
fn read(path: &str) -> Outcome<String> {
    fs::read_to_string(root().join(path)).map_err(|error| Failure::new(format!("{path}: {error}")))
}
