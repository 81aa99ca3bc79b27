//! Reads log lines on standard input and says what CloudWatch would make of their metrics.
//!
//! `emf-lint [--transport container|udp|agent|api] [--now]`
//!
//! Prints each finding with its line number, then series, data points and bytes. The exit code is
//! 1 when a line's metrics would be lost, 2 when the arguments are wrong.

use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;

use obs_core::clock::Clock;
use obs_emf::Transport;
use obs_emf::lint::{Linter, Summary};

fn main() -> ExitCode {
    let linter = match arguments(std::env::args().skip(1)) {
        Ok(linter) => linter,
        Err(message) => {
            // Nothing is left to do when even this cannot be written.
            let _ = writeln!(io::stderr(), "emf-lint: {message}");
            return ExitCode::from(2);
        }
    };
    match judge(&linter, io::stdin().lock(), BufWriter::new(io::stdout().lock())) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "emf-lint: {error}");
            ExitCode::from(2)
        }
    }
}

fn arguments(arguments: impl Iterator<Item = String>) -> Result<Linter, String> {
    let mut linter = Linter::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        linter = match argument.as_str() {
            "--now" => linter.now(Clock::system().wall()),
            "--transport" => linter.transport(match arguments.next().as_deref() {
                Some("container") => Transport::ContainerStdout,
                Some("udp") => Transport::Udp,
                Some("agent") => Transport::Agent,
                Some("api") => Transport::Api,
                other => return Err(format!("--transport {other:?}: container|udp|agent|api")),
            }),
            other => return Err(format!("{other:?}: known are --transport and --now")),
        };
    }
    Ok(linter)
}

/// Judges every line; says how many were rejected.
fn judge(linter: &Linter, input: impl BufRead, mut output: impl Write) -> io::Result<u64> {
    let mut summary = Summary::default();
    for (number, line) in input.split(b'\n').enumerate() {
        let line = line?;
        let report = linter.line(&String::from_utf8_lossy(&line));
        // Text that no JSON encoder wrote is an ordinary line of somebody else's.
        if line.first() != Some(&b'{') {
            continue;
        }
        for finding in &report.findings {
            writeln!(output, "line {}: {finding}", number + 1)?;
        }
        summary.add(&report);
    }
    write!(output, "{summary}")?;
    output.flush()?;
    Ok(summary.rejected)
}
