use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::{Clock, Timestamp};
use obs_core::log::{Line, LineFormat, LineHead, LineLevel, with_buffer};
use obs_core::output::{self, Class, Output};
use obs_core::telemetry::Telemetry;
use tracing::Level;

use super::Sink;
use crate::encode::Record;
use crate::ledger::{DropReason, Ledger, Repair, SharedLedger};
use crate::limits::{NEWEST, OLDEST, Transport};

static HEAD: LineHead = LineHead::new("metrics", "obs_emf");

/// Writes records as lines of a service.
///
/// Data points count as emitted once the output has taken their lines into its queue, and as
/// dropped when it has no room for them. What becomes of lines then is in the ledger of the
/// [`output`](Self::output).
///
/// ```
/// use std::time::Duration;
/// use obs_core::clock::Timestamp;
/// use obs_core::environment::Environment;
/// use obs_core::metric::Unit;
/// use obs_core::output::Output;
/// use obs_core::telemetry::Telemetry;
/// use obs_emf::sink::{LineSink, Sink};
/// use obs_emf::{Record, Shape};
///
/// let (output, captured) = Output::captured();
/// let telemetry =
///     Telemetry::builder("orders").environment(Environment::empty()).output(output).build()?;
/// let shape = Shape::builder("Shop")
///     .dimension_set(["Service"])
///     .constant("Service", "orders")
///     .metric(("OrderValue", Unit::None))
///     .build()?;
///
/// let sink = LineSink::of(&telemetry);
/// let now = telemetry.clock().wall();
/// sink.emit(&Record::new(&shape, now).values(&[99.5]).fields(&[("order", "o-17".into())]));
/// assert!(sink.flush(Duration::from_secs(5)));
/// assert!(captured.text().ends_with("\"Service\":\"orders\",\"OrderValue\":99.5}\n"));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub struct LineSink {
    output: Output,
    format: LineFormat,
    level: LineLevel,
    class: Class,
    clock: Clock,
    ledger: SharedLedger,
    bytes: AtomicU64,
    ends_output: bool,
    /// Where the agent listens, if it is one that takes the lines.
    agent: Option<String>,
}

impl LineSink {
    /// Writes to the output of `telemetry`, among its other lines.
    ///
    /// The lines carry the level `INFO`, or the one that Lambda lets through. A shutdown of the
    /// sink leaves the output open, which belongs to the telemetry.
    #[must_use]
    pub fn of(telemetry: &Telemetry) -> Self {
        Self {
            output: telemetry.output().clone(),
            format: telemetry.line_format().clone(),
            level: telemetry.passing_level(Level::INFO),
            class: Class::Metric,
            clock: telemetry.clock().clone(),
            ledger: SharedLedger::default(),
            bytes: AtomicU64::new(0),
            ends_output: false,
            agent: None,
        }
    }

    /// Writes to an output of its own, which a shutdown of the sink shuts down.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::output::Output;
    /// use obs_emf::limits::Transport;
    /// use obs_emf::sink::{LineSink, Sink};
    ///
    /// let (output, lines) = Output::captured();
    /// let sink = LineSink::to(output, "orders", Transport::ContainerStdout, Clock::system());
    /// assert!(lines.lines().is_empty() && sink.ledger().is_conserved());
    /// ```
    #[must_use]
    pub fn to(output: Output, service_name: &str, transport: Transport, clock: Clock) -> Self {
        // With its line feed.
        let longest = transport.max_line_bytes() + 1;
        let format = LineFormat::new(service_name).max_line_bytes(longest);
        Self {
            output,
            format: format.expect("every transport takes lines of 4 KiB"),
            level: LineLevel::Info,
            class: Class::Metric,
            clock,
            ledger: SharedLedger::default(),
            bytes: AtomicU64::new(0),
            ends_output: true,
            agent: None,
        }
    }

    /// Writes to the CloudWatch agent, with `fallback` for the lines it cannot take.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::id::IdGenerator;
    /// use obs_emf::sink::{AgentEndpoint, LineSink};
    ///
    /// let endpoint = AgentEndpoint::parse("udp://127.0.0.1:25888")?;
    /// let (clock, ids) = (Clock::system(), IdGenerator::system());
    /// let sink = LineSink::to_agent(endpoint, std::io::stdout(), "orders", clock, ids)?;
    /// # let _ = sink;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`](obs_core::config::ConfigError) never, as long as an output with default
    /// settings can be built.
    #[cfg(feature = "agent")]
    pub fn to_agent(
        endpoint: super::AgentEndpoint,
        fallback: impl std::io::Write + Send + 'static,
        service_name: &str,
        clock: Clock,
        ids: obs_core::id::IdGenerator,
    ) -> Result<Self, obs_core::config::ConfigError> {
        let (transport, address) = match &endpoint {
            super::AgentEndpoint::Tcp(address) => (Transport::Agent, format!("tcp://{address}")),
            super::AgentEndpoint::Udp(address) => (Transport::Udp, format!("udp://{address}")),
        };
        let agent = super::AgentWriter::new(endpoint, fallback, clock.clone(), ids);
        let output = Output::builder().destination(agent).build()?;
        Ok(Self { agent: Some(address), ..Self::to(output, service_name, transport, clock) })
    }

    /// The output.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.output
    }
}

impl Sink for LineSink {
    fn emit(&self, record: &Record<'_>) {
        let mut ledger = Ledger::EMPTY;
        let given = record.timestamp;
        let moved = moved(given, self.clock.wall(), &mut ledger)
            .map(|timestamp| Record { timestamp, ..*record });
        let record = moved.as_ref().unwrap_or(record);
        with_buffer(|buffer| {
            let mut line = Line::begin_known(buffer, &self.format, given, self.level, &HEAD);
            line.ids(&record.ids);
            for &(key, value) in record.known_fields {
                line.known(key, value);
            }
            for &(name, value) in record.fields {
                line.field(name, value);
            }
            if moved.is_some() {
                line.u64("event_timestamp", given.unix_millis());
            }
            let lines = record.finish(line, &mut ledger);
            match self.output.write(self.class, lines) {
                None => drop(self.bytes.fetch_add(lines.len() as u64, Ordering::Relaxed)),
                Some(output::DropReason::TooLong) => ledger.refuse(DropReason::TooLarge),
                Some(output::DropReason::Closed) => ledger.refuse(DropReason::Closed),
                Some(_) => ledger.refuse(DropReason::QueueFull),
            }
        });
        self.ledger.add(&ledger);
    }

    fn flush(&self, limit: Duration) -> bool {
        self.output.flush(limit)
    }

    fn shutdown(&self, limit: Duration) -> bool {
        if self.ends_output { self.output.shutdown(limit) } else { self.output.flush(limit) }
    }

    fn ledger(&self) -> Ledger {
        self.ledger.read()
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// CloudWatch skips metrics from outside its window; such a record gets the present time, and the
/// line keeps the other one as a field.
#[inline]
fn moved(time: Timestamp, now: Timestamp, ledger: &mut Ledger) -> Option<Timestamp> {
    const PAST: u64 = OLDEST.as_nanos() as u64;
    const FUTURE: u64 = NEWEST.as_nanos() as u64;
    let (given, present) = (time.unix_nanos(), now.unix_nanos());
    let late = present.saturating_sub(given) >= PAST;
    let early = given.saturating_sub(present) >= FUTURE;
    if late || early {
        ledger.repair(Repair::Timestamp);
        return Some(now);
    }
    None
}

impl fmt::Debug for LineSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineSink")
            .field("agent", &self.agent)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
