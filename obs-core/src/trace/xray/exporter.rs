use std::io;
use std::net::{ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use crate::config::ConfigError;
use crate::environment::Environment;
use crate::resource::Resource;
use crate::trace::exporter::{ExportReport, SpanExporter};
use crate::trace::ledger::DropReason;
use crate::trace::record::SpanRecord;

use super::address::DaemonAddress;
use super::document::{MAX_DOCUMENT_BYTES, SegmentEncoder, TARGET_BYTES};

const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";

/// Sends spans to the X-Ray daemon, or to a CloudWatch agent or collector in its place, one segment
/// document per UDP datagram.
///
/// UDP has no answer: a span counts as exported when the network took it and did not refuse it at
/// once, as a host does on whose port nobody listens. The host is looked up when the first span is
/// sent, and again after a batch of which nothing could be sent.
///
/// ```no_run
/// use obs_core::environment::Environment;
/// use obs_core::resource::Resource;
/// use obs_core::trace::{Tracer, XrayExporter};
///
/// let resource = Resource::empty().with("service.name", "orders");
/// let exporter = XrayExporter::from_environment(&Environment::process(), &resource)?;
/// let tracer = Tracer::builder().exporter(exporter).build()?;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct XrayExporter {
    encoder: SegmentEncoder,
    address: DaemonAddress,
    socket: Option<UdpSocket>,
    datagram: Vec<u8>,
}

impl XrayExporter {
    /// An exporter to the daemon at `address`.
    ///
    /// ```
    /// use obs_core::resource::Resource;
    /// use obs_core::trace::{DaemonAddress, XrayExporter};
    ///
    /// let exporter = XrayExporter::new(DaemonAddress::parse("127.0.0.1:2000")?, &Resource::empty());
    /// # let _ = exporter;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn new(address: DaemonAddress, resource: &Resource) -> Self {
        let encoder = SegmentEncoder::new(resource);
        Self { encoder, address, socket: None, datagram: HEADER.to_vec() }
    }

    /// An exporter to the daemon that `AWS_XRAY_DAEMON_ADDRESS` names, else to `127.0.0.1:2000`.
    ///
    /// # Errors
    /// [`ConfigError`] when the variable holds no address.
    pub fn from_environment(
        environment: &Environment,
        resource: &Resource,
    ) -> Result<Self, ConfigError> {
        Ok(Self::new(DaemonAddress::from_environment(environment)?, resource))
    }

    fn connect(&mut self, limit: Duration) -> io::Result<()> {
        if self.socket.is_some() {
            return Ok(());
        }
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.address.udp().to_socket_addrs()? {
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            match UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket)) {
                Ok(socket) => {
                    let limit = limit.clamp(Duration::from_millis(1), Duration::from_secs(1));
                    socket.set_write_timeout(Some(limit))?;
                    self.socket = Some(socket);
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends one document; one the network finds too large is made smaller as long as it can be.
    fn send(&mut self, span: &SpanRecord) -> Sent {
        let Some(socket) = &self.socket else { return Sent::default() };
        let mut sent = Sent::default();
        let mut max_bytes = TARGET_BYTES;
        loop {
            self.datagram.truncate(HEADER.len());
            self.datagram.extend_from_slice(&self.encoder.encode(span, max_bytes));
            debug_assert!(self.datagram.len() - HEADER.len() <= MAX_DOCUMENT_BYTES);
            match socket.send(&self.datagram) {
                // A host answers for its own ports at once: the answer is there already.
                Ok(_) => match socket.take_error() {
                    Ok(None) => {
                        sent.error = None;
                        return sent;
                    }
                    Ok(Some(error)) | Err(error) => {
                        sent.error = Some(error);
                        return sent;
                    }
                },
                // The answer to an earlier datagram, told instead of sending this one.
                Err(error) if is_refusal(&error) && !sent.earlier_was_refused => {
                    sent.earlier_was_refused = true;
                    sent.error = Some(error);
                }
                Err(error) if is_about_size(&error) && max_bytes > 4096 => {
                    max_bytes = (self.datagram.len() - HEADER.len()).min(max_bytes) / 2;
                    sent.error = Some(error);
                }
                Err(error) => {
                    sent.error = Some(error);
                    return sent;
                }
            }
        }
    }
}

#[derive(Default)]
struct Sent {
    error: Option<io::Error>,
    earlier_was_refused: bool,
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

/// `EMSGSIZE` has no kind of its own: it is what is left when all that is about the way there is
/// ruled out.
fn is_about_size(error: &io::Error) -> bool {
    const EMSGSIZE: [i32; 3] = [90, 40, 10040];
    error.raw_os_error().is_some_and(|code| EMSGSIZE.contains(&code))
}

fn reason(error: &io::Error) -> DropReason {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => DropReason::TimedOut,
        _ if is_about_size(error) => DropReason::Invalid,
        _ => DropReason::Unreachable,
    }
}

impl SpanExporter for XrayExporter {
    fn export(&mut self, batch: &[SpanRecord], limit: Duration) -> ExportReport {
        if let Err(error) = self.connect(limit) {
            return ExportReport::new().dropped(DropReason::Unreachable, batch.len(), error);
        }
        let mut exported = 0;
        let mut report = ExportReport::new();
        for span in batch {
            let sent = self.send(span);
            if sent.earlier_was_refused && exported > 0 {
                exported -= 1;
                let error = "the daemon's host refused an earlier datagram";
                report = report.dropped(DropReason::Unreachable, 1, error);
            }
            match sent.error {
                None => exported += 1,
                Some(error) => report = report.dropped(reason(&error), 1, error),
            }
        }
        if exported == 0 {
            self.socket = None;
        }
        report.exported(exported)
    }
}

#[cfg(test)]
mod tests;
