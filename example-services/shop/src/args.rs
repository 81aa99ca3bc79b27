//! The command line.

use std::fmt;
use std::path::PathBuf;

use crate::name::{Name, Ports};

/// How to call the program.
pub const USAGE: &str = "\
usage: shop up [options]     start the services; Ctrl-C or SIGTERM drains and stops them
       shop demo             place one order on a shop of its own and tell its story

options of up:
  --data DIR          where the services keep their data (default .shop)
  --port-base N       gateway on port N, the others on N+1 to N+4; 0 takes free ports
                      (default: gateway 8080, product 8101, order 8102, inventory 8103, cart 8104)
  --ready-file FILE   write {\"service\": \"base URL\", ...} there once all are ready
  --service NAME...   start only these, as one process of several

environment:
  SHOP_RATE_LIMIT_PER_SECOND, SHOP_RATE_LIMIT_BURST   per tenant, at the gateway (100, 200)
  SHOP_RESERVATION_TTL_MS                             how long unaccepted stock is kept (60000)
  SHOP_<SERVICE>_URL                                  where a service runs that is not started here
";

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start services.
    Up(UpOptions),
    /// Tell the story of an order.
    Demo,
    /// Say how to call the program.
    Help,
}

/// The options of `shop up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpOptions {
    /// Where the services keep their data.
    pub data: PathBuf,
    /// Which ports they listen on.
    pub ports: Ports,
    /// Where to write what listens where.
    pub ready_file: Option<PathBuf>,
    /// Which services to start, each once, in the order of their ports.
    pub services: Vec<Name>,
}

impl Default for UpOptions {
    fn default() -> Self {
        Self {
            data: PathBuf::from(".shop"),
            ports: Ports::default(),
            ready_file: None,
            services: Name::ALL.to_vec(),
        }
    }
}

/// A command line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl Command {
    /// Reads the arguments that follow the program's name.
    ///
    /// # Errors
    /// [`UsageError`] names the argument that is wrong.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, UsageError> {
        let mut arguments = arguments.into_iter();
        let command = arguments.next();
        match command.as_deref() {
            Some("up") => up(&mut arguments.peekable()).map(Self::Up),
            Some("demo") => match arguments.next() {
                None => Ok(Self::Demo),
                Some(more) => Err(UsageError(format!("demo takes no arguments, not {more:?}"))),
            },
            None | Some("help" | "-h" | "--help") => Ok(Self::Help),
            Some(other) => Err(UsageError(format!("there is no command {other:?}"))),
        }
    }
}

fn up(
    arguments: &mut std::iter::Peekable<impl Iterator<Item = String>>,
) -> Result<UpOptions, UsageError> {
    let mut options = UpOptions::default();
    let mut services = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let missing = || UsageError(format!("{argument} needs a value"));
            arguments.next().ok_or_else(missing)
        };
        match argument.as_str() {
            "--data" => options.data = value()?.into(),
            "--ready-file" => options.ready_file = Some(value()?.into()),
            "--port-base" => options.ports = ports(&value()?)?,
            "--service" => {
                services.push(service(&value()?)?);
                while let Some(name) = arguments.next_if(|name| !name.starts_with("--")) {
                    services.push(service(&name)?);
                }
            }
            other => return Err(UsageError(format!("up has no option {other:?}"))),
        }
    }
    if !services.is_empty() {
        services.sort();
        services.dedup();
        options.services = services;
    }
    if options.ports == Ports::Free && options.services.len() < Name::ALL.len() {
        let rule = "--port-base 0 needs all services in one process: others could not find them";
        return Err(UsageError(rule.to_owned()));
    }
    Ok(options)
}

fn ports(value: &str) -> Result<Ports, UsageError> {
    match value.parse() {
        Ok(0) => Ok(Ports::Free),
        Ok(base @ 1..=Ports::HIGHEST_BASE) => Ok(Ports::From(base)),
        _ => {
            let highest = Ports::HIGHEST_BASE;
            Err(UsageError(format!("--port-base = {value:?}: must be from 0 to {highest}")))
        }
    }
}

fn service(name: &str) -> Result<Name, UsageError> {
    Name::parse(name).ok_or_else(|| {
        let known = Name::ALL.map(Name::as_str).join(", ");
        UsageError(format!("--service = {name:?}: must be one of {known}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn up_without_options_starts_everything() {
        assert_eq!(parse("up"), Ok(Command::Up(UpOptions::default())));
    }

    #[test]
    fn up_takes_its_options_in_any_order() {
        let options = UpOptions {
            data: "d".into(),
            ports: Ports::From(9000),
            ready_file: Some("r".into()),
            services: vec![Name::Order, Name::Cart],
        };
        let line = "up --service cart order cart --data d --port-base 9000 --ready-file r";
        assert_eq!(parse(line), Ok(Command::Up(options)));
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for (line, named) in [
            ("fly", "fly"),
            ("demo now", "now"),
            ("up --data", "--data"),
            ("up --port-base 65535", "65535"),
            ("up --port-base x", "\"x\""),
            ("up --service shoes", "shoes"),
            ("up --service cart --port-base 0", "--port-base 0"),
            ("up --verbose", "--verbose"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
