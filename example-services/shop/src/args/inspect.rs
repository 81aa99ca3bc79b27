use std::path::PathBuf;
use std::time::Duration;

use super::plan::{LoadPlan, MAX_DURATION, MAX_VUS, Place, Scenario, StressPlan};
use super::{Command, UsageError};

/// A command that looks at a shop, or drives it, from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Inspect {
    /// What runs.
    Status,
    /// Everything about an order.
    OrderShow(String),
    /// Whether the walk of an order is complete.
    VerifyOrder(String),
    /// The same of all orders.
    VerifyOrders,
    /// Whether stock, charges and messages add up.
    VerifyInvariants,
    /// The oldest messages of a queue.
    QueuePeek {
        /// Which.
        queue: String,
        /// How many.
        limit: usize,
    },
    /// Send what is in a dead-letter queue back.
    QueueRedrive {
        /// Which.
        queue: String,
        /// How many.
        limit: usize,
    },
    /// Whether an event matches a pattern.
    TestPattern {
        /// The pattern, or `@FILE`.
        pattern: String,
        /// The event, or `@FILE`.
        event: String,
    },
    /// What each rule said of an event.
    Explain(String),
    /// The steps of an order.
    WorkflowHistory(String),
    /// The lines of a correlation id.
    Logs(String),
    /// Customers who come all at once.
    Load(LoadPlan),
    /// A stress scenario.
    Stress(StressPlan),
    /// Write dashboards and alarms.
    Observability {
        /// Below which folder.
        folder: PathBuf,
        /// For where.
        place: Place,
    },
}

/// The stress scenarios and their paths at the gateway.
const SCENARIOS: [(&str, &str); 7] = [
    ("cart", "/stress"),
    ("morning-rush", "/api/orders/stress/morning-rush"),
    ("restock", "/api/inventory/stress/restock"),
    ("menu-sync", "/api/menu/stress/menu-sync"),
    ("cold-start-avalanche", "/api/payment/stress/cold-start-avalanche"),
    ("batch-calculation", "/api/loyalty/stress/batch-calculation"),
    ("query-storm", "/api/analytics/stress/query-storm"),
];

/// What follows a command: words, and options.
#[derive(Debug, Default)]
struct Rest {
    words: Vec<String>,
    options: Vec<(String, String)>,
    json: bool,
    thresholds: bool,
}

/// Options that take a value.
const VALUED: [&str; 11] = [
    "--data",
    "--limit",
    "--correlation-id",
    "--seed",
    "--vus",
    "--duration",
    "--scale",
    "--out",
    "--environment",
    "--region",
    "--account",
];

pub(super) fn parse(
    command: &str,
    arguments: impl Iterator<Item = String>,
) -> Result<Command, UsageError> {
    let mut rest = read(arguments)?;
    let data = rest.take("--data").map_or_else(|| PathBuf::from(".shop"), PathBuf::from);
    let json = rest.json;
    let command = inspect(command, &mut rest)?;
    if let Some((option, _)) = rest.options.first() {
        return Err(UsageError(format!("this command has no option {option:?}")));
    }
    if let Some(word) = rest.words.first() {
        return Err(UsageError(format!("this command takes no further {word:?}")));
    }
    if rest.thresholds && !matches!(command, Inspect::Load(_)) {
        return Err(UsageError("only load has the option \"--thresholds\"".to_owned()));
    }
    Ok(Command::Inspect { command, data, json })
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Rest, UsageError> {
    let mut rest = Rest::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => rest.json = true,
            "--thresholds" => rest.thresholds = true,
            option if VALUED.contains(&option) => {
                let missing = || UsageError(format!("{option} needs a value"));
                let value = arguments.next().ok_or_else(missing)?;
                rest.options.push((argument, value));
            }
            option if option.starts_with("--") => {
                return Err(UsageError(format!("there is no option {option:?}")));
            }
            _ => rest.words.push(argument),
        }
    }
    Ok(rest)
}

impl Rest {
    fn take(&mut self, option: &str) -> Option<String> {
        let at = self.options.iter().position(|(name, _)| name == option)?;
        Some(self.options.remove(at).1)
    }

    fn word(&mut self, what: &str) -> Result<String, UsageError> {
        if self.words.is_empty() {
            return Err(UsageError(format!("{what} is missing")));
        }
        Ok(self.words.remove(0))
    }

    /// A number within `range`, or `default`.
    fn number(
        &mut self,
        option: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, UsageError> {
        let Some(text) = self.take(option) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            UsageError(format!("{option} = {text:?}: must be from {low} to {high}"))
        })
    }
}

fn inspect(command: &str, rest: &mut Rest) -> Result<Inspect, UsageError> {
    match command {
        "status" => Ok(Inspect::Status),
        "order" => match rest.word("show")?.as_str() {
            "show" => rest.word("ID").map(Inspect::OrderShow),
            other => Err(UsageError(format!("order has no command {other:?}"))),
        },
        "verify" => match rest.word("order, orders or invariants")?.as_str() {
            "order" => rest.word("ID").map(Inspect::VerifyOrder),
            "orders" => Ok(Inspect::VerifyOrders),
            "invariants" => Ok(Inspect::VerifyInvariants),
            other => Err(UsageError(format!("verify has no command {other:?}"))),
        },
        "queue" => queue(rest),
        "events" => match rest.word("test-pattern or explain")?.as_str() {
            "test-pattern" => {
                let pattern = rest.word("PATTERN")?;
                Ok(Inspect::TestPattern { pattern, event: rest.word("EVENT")? })
            }
            "explain" => rest.word("ID").map(Inspect::Explain),
            other => Err(UsageError(format!("events has no command {other:?}"))),
        },
        "workflow" => match rest.word("history")?.as_str() {
            "history" => rest.word("ID").map(Inspect::WorkflowHistory),
            other => Err(UsageError(format!("workflow has no command {other:?}"))),
        },
        "logs" => {
            let id = rest.take("--correlation-id");
            let missing = || UsageError("logs needs --correlation-id ID".to_owned());
            id.map(Inspect::Logs).ok_or_else(missing)
        }
        "load" => match rest.word("run")?.as_str() {
            "run" => load(rest),
            other => Err(UsageError(format!("load has no command {other:?}"))),
        },
        "stress" => stress(rest),
        "observability" => Ok(observability(rest)),
        other => Err(UsageError(format!("there is no command {other:?}"))),
    }
}

fn queue(rest: &mut Rest) -> Result<Inspect, UsageError> {
    let (command, queue) = (rest.word("peek or redrive")?, rest.word("QUEUE")?);
    match command.as_str() {
        "peek" => {
            let limit = rest.number("--limit", 10, 1..=1_000)? as usize;
            Ok(Inspect::QueuePeek { queue, limit })
        }
        "redrive" => {
            let limit = rest.number("--limit", 100, 1..=100_000)? as usize;
            Ok(Inspect::QueueRedrive { queue, limit })
        }
        other => Err(UsageError(format!("queue has no command {other:?}"))),
    }
}

fn load(rest: &mut Rest) -> Result<Inspect, UsageError> {
    let name = rest.word("SCENARIO")?;
    let scenario = Scenario::parse(&name).ok_or_else(|| {
        let known = Scenario::ALL.map(Scenario::as_str).join(", ");
        UsageError(format!("there is no scenario {name:?}; there are {known}"))
    })?;
    let seed = rest.number("--seed", 1, 0..=u64::MAX)?;
    let vus = rest.number("--vus", 10, 1..=MAX_VUS.into())?;
    let seconds = rest.number("--duration", 10, 1..=MAX_DURATION.as_secs())?;
    Ok(Inspect::Load(LoadPlan {
        scenario,
        seed,
        vus: u32::try_from(vus).unwrap_or(MAX_VUS),
        duration: Duration::from_secs(seconds),
        thresholds: rest.thresholds,
    }))
}

fn observability(rest: &mut Rest) -> Inspect {
    let folder = rest.take("--out").unwrap_or_else(|| "example-services/observability".to_owned());
    let Place { environment, region, account } = Place::default();
    let place = Place {
        environment: rest.take("--environment").unwrap_or(environment),
        region: rest.take("--region").unwrap_or(region),
        account: rest.take("--account").unwrap_or(account),
    };
    Inspect::Observability { folder: folder.into(), place }
}

fn stress(rest: &mut Rest) -> Result<Inspect, UsageError> {
    let wanted = rest.word("NAME")?;
    let known = SCENARIOS.into_iter().find(|(name, _)| *name == wanted);
    let (name, path) = known.ok_or_else(|| {
        let known = SCENARIOS.map(|(name, _)| name).join(", ");
        UsageError(format!("there is no scenario {wanted:?}; there are {known}"))
    })?;
    let text = rest.take("--scale").unwrap_or_else(|| "0.01".to_owned());
    let scale = text.parse().ok().filter(|scale| (0.0..=1.0).contains(scale));
    let scale =
        scale.ok_or_else(|| UsageError(format!("--scale = {text:?}: must be from 0 to 1")))?;
    let longest = shop_kit::stress::Load::MAX_DURATION.as_secs();
    let duration_ms = rest.number("--duration", 5, 1..=longest)? * 1_000;
    Ok(Inspect::Stress(StressPlan { name, path, scale, duration_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
            .map_err(|error| error.to_string())
    }

    fn command(line: &str) -> Inspect {
        match parse_line(line) {
            Ok(Command::Inspect { command, .. }) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_command_of_the_usage_is_understood() {
        for line in super::super::USAGE.lines().filter(|line| line.contains("  shop ")) {
            let words = line.split("shop ").nth(1).unwrap().split("  ").next().unwrap();
            let words = words.replace("[options]", "").replace("SCENARIO", "browse");
            let words = words.replace("NAME", "restock").replace("SERVICE", "cart");
            assert!(parse_line(&words).is_ok(), "{words}: {:?}", parse_line(&words));
        }
    }

    #[test]
    fn every_command_takes_a_folder_and_tells_json_if_wanted() {
        let Ok(Command::Inspect { data, json, .. }) = parse_line("status --json --data d") else {
            panic!("it is understood");
        };
        assert_eq!((data, json), (PathBuf::from("d"), true));
    }

    #[test]
    fn load_and_stress_take_their_bounds() {
        let plan = LoadPlan {
            scenario: Scenario::Checkout,
            seed: 7,
            vus: 500,
            duration: Duration::from_secs(3),
            thresholds: true,
        };
        let line = "load run checkout --seed 7 --vus 500 --duration 3 --thresholds";
        assert_eq!(command(line), Inspect::Load(plan));
        let Inspect::Stress(plan) = command("stress restock --scale 0.5 --duration 180") else {
            panic!("it is a stress scenario");
        };
        assert_eq!((plan.scale, plan.duration_ms), (0.5, 180_000));
    }

    #[test]
    fn observability_is_for_where_the_shop_runs() {
        let line = "observability --out o --environment test --region eu-central-1 --account 1";
        let place = Place {
            environment: "test".into(),
            region: "eu-central-1".into(),
            account: "1".into(),
        };
        assert_eq!(command(line), Inspect::Observability { folder: "o".into(), place });
        let Inspect::Observability { place, .. } = command("observability") else {
            panic!("it is understood");
        };
        assert_eq!(place, Place::default());
    }

    #[test]
    fn what_is_out_of_bounds_or_unknown_is_named() {
        for (line, named) in [
            ("load run checkout --vus 0", "--vus"),
            ("load run shoplifting", "shoplifting"),
            ("stress restock --scale 1.1", "1.1"),
            ("stress restock --scale NaN", "NaN"),
            ("stress restock --duration 181", "181"),
            ("queue peek", "QUEUE"),
            ("queue drop q", "drop"),
            ("logs", "--correlation-id"),
            ("status now", "now"),
            ("status --limit 3", "--limit"),
            ("status --thresholds", "--thresholds"),
            ("verify order", "ID"),
        ] {
            let error = parse_line(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
