//! Which service is called.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use axum::Router;
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use obs_ratelimit::Headers;
use obs_tower::observe::ObserveLayer;

use crate::service::telemetry::telemetry_to;
use crate::service::{bare, by_hand, guard};

/// The share of requests whose spans are exported.
const SAMPLED: f64 = 0.05;

/// Nanoseconds that the slow sink takes for a byte: 2 MB/s.
const NANOS_PER_BYTE: u64 = 500;

/// A service to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The route alone.
    Bare,
    /// With a layer for this one route that writes the same line out of fixed text.
    ByHand,
    /// With the observing layer; 5 % of the requests are sampled.
    Observed,
    /// Observed, and behind rate limit, load shedding, bulkhead, circuit breaker and time limit.
    Chain,
    /// Observed, with lines that are taken more slowly than they come.
    SlowSink,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Bare, Self::ByHand, Self::Observed, Self::Chain, Self::SlowSink];

    /// The name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::ByHand => "by hand",
            Self::Observed => "observed",
            Self::Chain => "chain",
            Self::SlowSink => "slow-sink",
        }
    }

    /// The variant of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| variant.name() == name)
    }

    /// The service, with the telemetry that observes it.
    ///
    /// # Errors
    /// When there is no null device to write lines to.
    pub(super) fn build(self) -> io::Result<(Router, Option<Telemetry>)> {
        let output = match self {
            Self::Bare => return Ok((bare(), None)),
            Self::ByHand => return Ok((by_hand(bare(), null()?), None)),
            Self::Observed | Self::Chain => null()?,
            Self::SlowSink => Output::writer(Slow),
        };
        let telemetry = telemetry_to(output, SAMPLED);
        let observe = ObserveLayer::new(telemetry.clone());
        let router = match self {
            Self::Chain => bare().layer((observe, guard(Headers::none()))),
            _ => bare().layer(observe),
        };
        Ok((router, Some(telemetry)))
    }
}

fn null() -> io::Result<Output> {
    Ok(Output::writer(OpenOptions::new().write(true).open("/dev/null")?))
}

/// Takes its time.
struct Slow;

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[allow(clippy::disallowed_methods, reason = "being slow is all that it does")]
        thread::sleep(Duration::from_nanos(bytes.len() as u64 * NANOS_PER_BYTE));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
