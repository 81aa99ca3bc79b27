//! How lines look on the standard output.

use std::io::IsTerminal;

use crate::config::ConfigError;
use crate::environment::Environment;
use crate::output::{Output, Pretty};

/// The standard output, as `OBS_LOG_FORMAT` and `NO_COLOR` have it.
pub(super) fn default_output(environment: &Environment) -> Result<Output, ConfigError> {
    let stdout = std::io::stdout();
    Ok(match looks(environment, stdout.is_terminal())? {
        Looks::Json => Output::stdout(),
        Looks::Pretty { colours } => Output::writer(Pretty::new(stdout, colours)),
    })
}

/// What `OBS_LOG_FORMAT` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    Json,
    Pretty { colours: bool },
}

pub(super) fn looks(environment: &Environment, is_terminal: bool) -> Result<Looks, ConfigError> {
    match environment.get("OBS_LOG_FORMAT") {
        None | Some("json") => Ok(Looks::Json),
        Some("pretty") => {
            Ok(Looks::Pretty { colours: is_terminal && environment.get("NO_COLOR").is_none() })
        }
        Some(other) => Err(ConfigError::new("OBS_LOG_FORMAT", other, "must be json or pretty")),
    }
}
