//! Parts that are Python packages, each in a virtual environment under `.parts/`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{debian, folder};
use crate::command::{Failure, Outcome, run};

/// A package, what it needs, and the program it brings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    pub(super) name: &'static str,
    pub(super) requirements: &'static [&'static str],
    /// Relative to its environment; `python3` stands for the interpreter's own folder.
    pub(super) program: &'static str,
}

impl Package {
    fn environment(&self) -> PathBuf {
        folder().join(self.name)
    }

    /// The file whose contents tell what is installed.
    fn receipt(&self) -> PathBuf {
        self.environment().join("installed")
    }

    pub(super) fn install(&self) -> Outcome {
        let wanted = self.requirements.join("\n");
        if fs::read_to_string(self.receipt()).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        fs::create_dir_all(folder())?;
        let environment = self.environment();
        let venv = |environment: &PathBuf| {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))
        };
        if venv(&environment).is_err() {
            debian::install(&["python3", "python3-venv"])?;
            venv(&environment)?;
        }
        run(Command::new(environment.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(self.requirements))?;
        fs::write(self.receipt(), wanted)?;
        Ok(())
    }

    /// The path of the program, which must be installed.
    pub(super) fn program(&self) -> Outcome<PathBuf> {
        let environment = self.environment();
        let direct = environment.join(self.program);
        if direct.exists() {
            return Ok(direct);
        }
        let interpreters = fs::read_dir(environment.join("lib"))?;
        interpreters
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .map(|python| environment.join(self.program.replace("python3", &python)))
            .find(|program| program.exists())
            .ok_or_else(|| Failure::new(format!("{} has no {}", self.name, self.program)))
    }
}
