//! The CloudWatch agent, over TCP or UDP.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use obs_core::clock::{Clock, Instant};
use obs_core::config::ConfigError;
use obs_core::id::IdGenerator;

use super::Backoff;

/// Where the agent listens.
///
/// ```
/// use obs_emf::sink::AgentEndpoint;
///
/// assert_eq!(AgentEndpoint::parse("udp://127.0.0.1:25888")?, AgentEndpoint::Udp("127.0.0.1:25888".into()));
/// assert_eq!(AgentEndpoint::parse("tcp://:25888")?, AgentEndpoint::default());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEndpoint {
    /// Host and port of its TCP listener.
    Tcp(String),
    /// Host and port of its UDP listener.
    Udp(String),
}

/// TCP on this host, port 25888, the agent's
/// [default](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Generation_CloudWatch_Agent.html).
impl Default for AgentEndpoint {
    fn default() -> Self {
        Self::Tcp("127.0.0.1:25888".to_owned())
    }
}

impl AgentEndpoint {
    /// Reads `tcp://host:port` or `udp://host:port`; without a host it is this one.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let error = || {
            let rule = "must be tcp://host:port or udp://host:port";
            ConfigError::new("AWS_EMF_AGENT_ENDPOINT", text, rule)
        };
        let (scheme, address) = text.split_once(':').ok_or_else(error)?;
        let address = address.trim_start_matches('/');
        let (host, port) = address.rsplit_once(':').ok_or_else(error)?;
        if port.parse::<u16>().map_or(true, |port| port == 0) {
            return Err(error());
        }
        let host = if host.is_empty() || host == "0.0.0.0" { "127.0.0.1" } else { host };
        let address = format!("{host}:{port}");
        match scheme {
            "tcp" => Ok(Self::Tcp(address)),
            "udp" => Ok(Self::Udp(address)),
            _ => Err(error()),
        }
    }
}

const CONNECT_LIMIT: Duration = Duration::from_millis(500);
const WRITE_LIMIT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A connection to the agent, as a destination of an [`Output`](obs_core::output::Output).
///
/// | what happens | what it does |
/// |---|---|
/// | the agent is not there | lines go to the fallback; it is tried again after 100 ms, doubled up to 10 s, with jitter |
/// | the agent closed the connection | noticed before the next write; connects again |
/// | the connection breaks in the middle of a line | connects again and sends that line anew, from its start |
/// | the agent does not read for 1 s | the connection is given up, as above |
/// | UDP: a datagram is refused | that line goes to the fallback |
///
/// What the operating system has taken counts as delivered: lines that wait in a socket whose
/// agent dies are lost without a trace, over UDP as over TCP. Over UDP the same happens to a burst of
/// more datagrams than the agent's socket holds, some two hundred with the settings of Linux; that is
/// why TCP is the default.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_core::output::Output;
/// use obs_emf::sink::{AgentEndpoint, AgentWriter};
///
/// // What the agent does not take is written to standard output, where CloudWatch may read it, too.
/// let endpoint = AgentEndpoint::parse("tcp://127.0.0.1:25888")?;
/// let writer = AgentWriter::new(endpoint, std::io::stdout(), Clock::system(), IdGenerator::system());
/// let output = Output::writer(writer);
/// # let _ = output;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub struct AgentWriter {
    link: Link,
    fallback: Box<dyn Write + Send>,
    clock: Clock,
    backoff: Backoff,
    /// No connection is tried before.
    not_before: Instant,
}

enum Link {
    Tcp { address: String, stream: Option<TcpStream> },
    Udp { address: String, socket: Option<UdpSocket> },
}

impl AgentWriter {
    /// A writer that connects with its first line; lines the agent cannot take go to `fallback`.
    #[must_use]
    pub fn new(
        endpoint: AgentEndpoint,
        fallback: impl Write + Send + 'static,
        clock: Clock,
        ids: IdGenerator,
    ) -> Self {
        let link = match endpoint {
            AgentEndpoint::Tcp(address) => Link::Tcp { address, stream: None },
            AgentEndpoint::Udp(address) => Link::Udp { address, socket: None },
        };
        let fallback = Box::new(fallback);
        let backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE, ids);
        Self { link, fallback, clock, backoff, not_before: Instant::default() }
    }

    fn may_connect(&self) -> bool {
        self.clock.now() >= self.not_before
    }

    fn connected(&mut self) {
        self.backoff.reset();
        self.not_before = Instant::default();
    }

    fn failed(&mut self) {
        self.not_before = self.clock.now() + self.backoff.next_pause();
    }

    /// Sends whole lines over TCP; says how many of the bytes were delivered, in whole lines.
    fn send_tcp(&mut self, lines: &[u8]) -> usize {
        let mut done = 0;
        // Twice: once over the connection there is, once over a new one.
        for _ in 0..2 {
            if !self.ensure_stream() {
                break;
            }
            let Link::Tcp { stream, .. } = &mut self.link else { break };
            let Some(open) = stream.as_mut() else { break };
            let (sent, result) = write_all(open, &lines[done..]);
            if result.is_ok() {
                self.connected();
                return lines.len();
            }
            *stream = None;
            let whole = lines[done..done + sent].iter().rposition(|&byte| byte == b'\n');
            done += whole.map_or(0, |at| at + 1);
        }
        if done < lines.len() {
            self.failed();
        }
        done
    }

    fn ensure_stream(&mut self) -> bool {
        let may_connect = self.may_connect();
        let Link::Tcp { address, stream } = &mut self.link else { return false };
        if stream.as_mut().is_some_and(is_closed) {
            *stream = None;
        }
        if stream.is_none() && may_connect {
            *stream = connect(address).ok();
        }
        stream.is_some()
    }

    fn send_datagram(&mut self, line: &[u8]) -> bool {
        let may_connect = self.may_connect();
        let Link::Udp { address, socket } = &mut self.link else { return false };
        if socket.is_none() && may_connect {
            *socket = open_socket(address).ok();
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // A connected socket reports the refusal of an earlier datagram once, on the next one.
        let sent = socket.as_ref().is_some_and(|socket| socket.send(line).is_ok());
        if sent {
            self.connected();
        } else if may_connect {
            if let Link::Udp { socket, .. } = &mut self.link {
                *socket = None;
            }
            self.failed();
        }
        sent
    }
}

impl Write for AgentWriter {
    /// Takes whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if matches!(self.link, Link::Udp { .. }) {
            for line in lines.split_inclusive(|&byte| byte == b'\n') {
                if !self.send_datagram(line) {
                    self.fallback.write_all(line)?;
                }
            }
        } else {
            let done = self.send_tcp(lines);
            self.fallback.write_all(&lines[done..])?;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.fallback.flush()
    }
}

impl fmt::Debug for AgentWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match &self.link {
            Link::Tcp { address, .. } => format!("tcp://{address}"),
            Link::Udp { address, .. } => format!("udp://{address}"),
        };
        f.debug_struct("AgentWriter").field("address", &address).finish_non_exhaustive()
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => {
                stream.set_write_timeout(Some(WRITE_LIMIT))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open_socket(address: &str) -> io::Result<UdpSocket> {
    let mut addresses = address.to_socket_addrs()?;
    let address = addresses.next().ok_or_else(|| io::Error::from(ErrorKind::AddrNotAvailable))?;
    let any: SocketAddr =
        if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_write_timeout(Some(WRITE_LIMIT))?;
    Ok(socket)
}

/// Whether the agent has closed the connection, which a write would learn one line too late.
fn is_closed(stream: &mut TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let mut answer = [0; 64];
    let closed = match stream.read(&mut answer) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    closed || stream.set_nonblocking(false).is_err()
}

fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return (sent, Err(ErrorKind::WriteZero.into())),
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}
