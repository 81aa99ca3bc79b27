//! A project as a stranger would write it, which depends on what was packaged.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use super::read;
use super::service::Service;
use crate::command::{Outcome, cargo, run};

/// What the stranger takes from a document.
pub(super) struct Sources {
    pub(super) name: String,
    /// Lines of the manifest.
    pub(super) dependencies: String,
    /// The file that becomes `src/main.rs`.
    pub(super) main: &'static str,
}

/// A project on the disk.
pub(super) struct Project {
    pub(super) folder: PathBuf,
    port: u16,
}

impl Project {
    pub(super) fn write(crates: &[(String, PathBuf)], sources: &Sources) -> Outcome<Self> {
        let folder = crates[0].1.with_file_name(&sources.name);
        fs::create_dir_all(folder.join("src"))?;
        // The lines of a service name its package as their target.
        let mut manifest = format!(
            "[package]\nname = \"orders\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\n{}\n[patch.crates-io]\n",
            sources.dependencies.trim_start_matches("[dependencies]\n"),
        );
        for (name, path) in crates {
            manifest.push_str(&format!("{name} = {{ path = \"{}\" }}\n", path.display()));
        }
        fs::write(folder.join("Cargo.toml"), manifest)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let main = read(sources.main)?.replace(":8080", &format!(":{port}"));
        fs::write(folder.join("src/main.rs"), main)?;
        Ok(Self { folder, port })
    }

    /// Builds the service and starts it.
    pub(super) fn serve(&self) -> Outcome<Service> {
        run(&mut self.cargo("build", &["--quiet", "--bin", "orders"]))?;
        Service::start(&self.target().join("debug/orders"), self.port)
    }

    /// A cargo command for this project.
    pub(super) fn cargo(&self, command: &str, arguments: &[&str]) -> std::process::Command {
        let mut cargo = cargo(&[command]);
        cargo.arg("--manifest-path").arg(self.folder.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(self.target()).args(arguments);
        cargo
    }

    /// One folder for all projects, so that dependencies are built once.
    fn target(&self) -> PathBuf {
        self.folder.with_file_name("target")
    }
}
