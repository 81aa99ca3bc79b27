//! The command line.

mod inspect;
mod plan;

use std::fmt;
use std::path::PathBuf;

pub use self::inspect::Inspect;
pub use self::plan::{LoadPlan, MAX_DURATION, MAX_VUS, Place, Scenario, StressPlan};

use crate::name::{Name, Ports};

/// How to call the program.
pub const USAGE: &str = "\
usage: shop up [options]             start the services; Ctrl-C or SIGTERM drains and stops them
       shop up --procs [options]     the same, one process per service, started again when it ends
       shop run SERVICE [options]    start one service
       shop demo                     place one order on a shop of its own and tell its story
       shop status                   what runs, how it is, how full the queues are
       shop order show ID            state, history, trace and lines of an order
       shop verify order ID          whether its walk is complete and its ids agree
       shop verify orders            the same of all orders
       shop verify invariants        whether stock, charges and messages add up
       shop queue peek QUEUE         the oldest messages of a queue (--limit N, 10)
       shop queue redrive QUEUE      send what is in a dead-letter queue back (--limit N, 100)
       shop events test-pattern PATTERN EVENT    whether a pattern matches; JSON or @FILE
       shop events explain ID        which rules an archived event matched, and why not the others
       shop workflow history ID      the steps of an order
       shop logs --correlation-id ID  every line of every service with this id
       shop load run SCENARIO        browse, cart-journey or checkout
           --seed N (1) --vus N (10) --duration SECONDS (10) --thresholds
       shop stress NAME              a stress scenario through the gateway
           --scale 0..1 (0.01) --duration SECONDS (5, at most 180)
           morning-rush, restock, menu-sync, cold-start-avalanche, batch-calculation, query-storm, cart
       shop observability            write the dashboards and alarms of the shop
           --out DIR (example-services/observability)
           --environment NAME (prod) --region R (us-east-1) --account A (000000000000)

options of up and run:
  --data DIR          where the services keep their data (default .shop)
  --port-base N       gateway on port N, the others on N+1 to N+10; 0 takes free ports
                      (default: gateway 8080, the others 8101 to 8110)
  --ready-file FILE   write {\"service\": \"base URL\", ...} there once all are ready
  --service NAME...   start only these, as one process of several
  --end-with-stdin    stop when stdin ends, too: when whoever started it is gone
  --json              tell as JSON what is told on stderr: when all are ready, and at the end

options of all others:
  --data DIR          the data folder of the shop (default .shop)
  --json              tell it as JSON

environment:
  SHOP_RATE_LIMIT_PER_SECOND, SHOP_RATE_LIMIT_BURST   per tenant, at the gateway (100, 200)
  SHOP_RESERVATION_TTL_MS                             how long unaccepted stock is kept (60000)
  SHOP_PRODUCT_TIMEOUT_MS, SHOP_PRODUCT_MEMORY_MB     the product function's limits (3000, 128)
  SHOP_REDIS_URL                                      a Redis for carts and caches
  SHOP_LOG_FILE                                       a second file for lines, for a log shipper
  SHOP_PAYMENT_SEED, SHOP_PAYMENT_FAILING_PER_MILLE   the payment provider (1, 0)
  SHOP_<SERVICE>_URL                                  where a service runs that is not started here
";

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Start services.
    Up(UpOptions),
    /// Start each service as a process of its own.
    Supervise(UpOptions),
    /// Tell the story of an order.
    Demo {
        /// Whether to tell it as JSON.
        json: bool,
    },
    /// Look at a shop, or drive it, from outside.
    Inspect {
        /// How.
        command: Inspect,
        /// The data folder of the shop.
        data: PathBuf,
        /// Whether to tell it as JSON.
        json: bool,
    },
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
    /// Whether the end of stdin ends them, as a signal does.
    pub end_with_stdin: bool,
    /// Whether to tell as JSON, on stderr, what is told.
    pub json: bool,
}

impl Default for UpOptions {
    fn default() -> Self {
        Self {
            data: PathBuf::from(".shop"),
            ports: Ports::default(),
            ready_file: None,
            services: Name::ALL.to_vec(),
            end_with_stdin: false,
            json: false,
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
        let mut arguments = arguments.into_iter().peekable();
        let command = arguments.next();
        match command.as_deref() {
            Some("up") => {
                let (switch, rest): (Vec<_>, Vec<_>) =
                    arguments.partition(|argument| argument == "--procs");
                let (procs, options) = (!switch.is_empty(), up(&mut rest.into_iter().peekable())?);
                Ok(if procs { Self::Supervise(options) } else { Self::Up(options) })
            }
            Some("run") => {
                let name =
                    arguments.next().ok_or_else(|| UsageError("run needs a SERVICE".into()))?;
                let options = [String::from("--service"), name].into_iter().chain(arguments);
                up(&mut options.peekable()).map(Self::Up)
            }
            Some("demo") => match arguments.next().as_deref() {
                None => Ok(Self::Demo { json: false }),
                Some("--json") => Ok(Self::Demo { json: true }),
                Some(more) => Err(UsageError(format!("demo takes no arguments, not {more:?}"))),
            },
            None | Some("help" | "-h" | "--help") => Ok(Self::Help),
            Some(command) => inspect::parse(command, arguments),
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
            "--end-with-stdin" => options.end_with_stdin = true,
            "--json" => options.json = true,
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
            end_with_stdin: true,
            json: true,
        };
        let line = "up --json --service cart order cart --data d --end-with-stdin --port-base 9000 \
                    --ready-file r";
        assert_eq!(parse(line), Ok(Command::Up(options)));
    }

    #[test]
    fn one_service_or_one_process_for_each() {
        let one = UpOptions { services: vec![Name::Cart], ..UpOptions::default() };
        assert_eq!(parse("run cart"), Ok(Command::Up(one)));
        assert_eq!(parse("up --procs"), Ok(Command::Supervise(UpOptions::default())));
        let elsewhere = UpOptions { data: "d".into(), ..UpOptions::default() };
        assert_eq!(parse("up --data d --procs"), Ok(Command::Supervise(elsewhere)));
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
            ("run", "SERVICE"),
            ("run shoes", "shoes"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
