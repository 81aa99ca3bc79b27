//! Running other programs.

use std::fmt;
use std::process::{Command, Stdio};

/// The result of a command of this crate.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// What went wrong, in one sentence for a person.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A `cargo` command at the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(crate::workspace::root());
    command
}

/// Announces a command, runs it and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Outcome {
    eprintln!("xtask: {}", line(command));
    let status = command.stdin(Stdio::null()).status();
    match status.map_err(|error| Failure::new(format!("{}: {error}", line(command))))? {
        status if status.success() => Ok(()),
        status => Err(Failure::new(format!("{} ended with {status}", line(command)))),
    }
}

/// Announces a command, runs it and returns what it said on standard error; fails when it fails.
pub(crate) fn said(command: &mut Command) -> Outcome<String> {
    eprintln!("xtask: {}", line(command));
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status {
        status if status.success() => Ok(said),
        status => Err(Failure::new(format!("{} ended with {status}\n{said}", line(command)))),
    }
}

/// Runs a command and returns what it printed.
pub(crate) fn capture(command: &mut Command) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("{}: {error}", line(command))))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(format!(
            "{} ended with {}\n{errors}",
            line(command),
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it, with programs by their name alone.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}
