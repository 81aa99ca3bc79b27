//! Who is called when, and what comes of it.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;

use super::wrk::Wrk;
use super::{Measured, Server, Until, Variant, call};

/// The services that are compared, in the order in which the first round calls them.
const COMPARED: [Variant; 4] = [Variant::Bare, Variant::ByHand, Variant::Observed, Variant::Chain];

/// How the services are called.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// How often each service is called.
    pub rounds: usize,
    /// For how long at a time.
    pub seconds: u64,
    /// Over how many connections.
    pub connections: usize,
    /// Whether wrk calls, where it is installed.
    pub may_use_wrk: bool,
}

impl Default for Campaign {
    fn default() -> Self {
        Self { rounds: 20, seconds: 3, connections: 64, may_use_wrk: true }
    }
}

/// One call of a service.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// What the callers saw.
    pub measured: Measured,
    /// Processor time of the server for each request.
    pub cpu_per_request: Duration,
    /// Memory that the server holds at the end.
    pub resident_bytes: Option<u64>,
}

/// What became of a service whose lines are taken more slowly than they come.
#[derive(Clone, Debug)]
pub struct SlowSink {
    /// In the middle and at the end, so long that the queue was full in the middle.
    pub rounds: [Round; 2],
    /// Of the lines and of the spans.
    pub ledger: Value,
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Who called.
    pub caller: &'static str,
    /// Each service with its rounds.
    pub compared: Vec<(Variant, Vec<Round>)>,
    /// The one with a slow sink.
    pub slow_sink: SlowSink,
}

impl Campaign {
    /// Calls the services that are compared in turn, then the one with a slow sink.
    ///
    /// # Errors
    /// When a server or a caller fails.
    pub fn run(&self) -> io::Result<Outcome> {
        let wrk = if self.may_use_wrk { Wrk::find()? } else { None };
        let runtime = Runtime::new()?;
        let callers = Callers { campaign: *self, wrk, runtime };
        let compared = callers.compare()?;
        let slow_sink = callers.slow_sink()?;
        let caller = if callers.wrk.is_some() { "wrk" } else { "callers of our own" };
        Ok(Outcome { caller, compared, slow_sink })
    }
}

struct Callers {
    campaign: Campaign,
    wrk: Option<Wrk>,
    runtime: Runtime,
}

impl Callers {
    fn compare(&self) -> io::Result<Vec<(Variant, Vec<Round>)>> {
        let mut services = Vec::new();
        for variant in COMPARED {
            let mut server = Server::start(variant)?;
            self.round(&mut server, 1)?;
            services.push((variant, server, Vec::new()));
        }
        for round in 0..self.campaign.rounds {
            // Each begins as often as the others, for the machine may be in another mood later.
            services.rotate_left(1);
            for (variant, server, rounds) in &mut services {
                let seen = self.round(server, self.campaign.seconds)?;
                eprintln!("round {round}, {}: {:.0}/s", variant.name(), seen.measured.per_second());
                rounds.push(seen);
            }
        }
        services.sort_by_key(|(variant, ..)| COMPARED.iter().position(|other| other == variant));
        Ok(services.into_iter().map(|(variant, _, rounds)| (variant, rounds)).collect())
    }

    fn slow_sink(&self) -> io::Result<SlowSink> {
        let mut server = Server::start(Variant::SlowSink)?;
        let seconds = self.campaign.seconds;
        let rounds = [self.round(&mut server, seconds)?, self.round(&mut server, seconds)?];
        Ok(SlowSink { rounds, ledger: server.stop()? })
    }

    fn round(&self, server: &mut Server, seconds: u64) -> io::Result<Round> {
        let before = server.look()?;
        let connections = self.campaign.connections;
        let measured = match &self.wrk {
            Some(wrk) => wrk.call(server.address, connections, seconds)?,
            None => {
                let until = Until::Elapsed(Duration::from_secs(seconds));
                self.runtime.block_on(call(server.address, connections, until))?
            }
        };
        let after = server.look()?;
        let requests = u32::try_from(measured.requests.max(1)).unwrap_or(u32::MAX);
        Ok(Round {
            measured,
            cpu_per_request: after.cpu.saturating_sub(before.cpu) / requests,
            resident_bytes: after.resident_bytes,
        })
    }
}
