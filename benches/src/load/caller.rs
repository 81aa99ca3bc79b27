//! Callers of our own, for where wrk is not installed.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Measured;

/// What each caller sends. Without ids, so that the service makes new ones and samples by them.
pub(super) const REQUEST: &str = "GET /orders/4711 HTTP/1.1\r\n\
     host: shop.example\r\n\
     user-agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0\r\n\
     accept: application/json\r\n\
     x-tenant-id: acme\r\n\r\n";

/// The longest answer that is expected, with its headers.
const LONGEST_ANSWER: usize = 16 * 1_024;

/// When callers stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so long.
    Elapsed(Duration),
    /// After so many requests each.
    Requests(u64),
}

/// Calls the service at `address` over so many connections at once, each of which is kept.
///
/// # Errors
/// When a connection cannot be made. One that breaks counts as an error, and its caller stops.
pub async fn call(address: SocketAddr, connections: usize, until: Until) -> io::Result<Measured> {
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let start = now();
    let mut callers = JoinSet::new();
    for stream in streams {
        callers.spawn(Caller::new(stream).run(start, until));
    }
    let (mut latencies, mut errors) = (histogram(), 0);
    for caller in callers.join_all().await {
        // Both have the same bounds.
        let _ = latencies.add(&caller.latencies);
        errors += caller.errors;
    }
    Ok(Measured::new(&latencies, errors, start.elapsed()))
}

struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
    latencies: Histogram<u64>,
    errors: u64,
}

impl Caller {
    fn new(stream: TcpStream) -> Self {
        let buffer = Vec::with_capacity(LONGEST_ANSWER);
        Self { stream, buffer, latencies: histogram(), errors: 0 }
    }

    async fn run(mut self, start: Instant, until: Until) -> Self {
        let mut sent = 0;
        loop {
            let sent_at = now();
            match until {
                Until::Elapsed(limit) if sent_at - start >= limit => return self,
                Until::Requests(limit) if sent >= limit => return self,
                _ => sent += 1,
            }
            match self.exchange().await {
                Ok(200) => self.latencies.saturating_record(sent_at.elapsed().as_nanos() as u64),
                Ok(_) => self.errors += 1,
                Err(_) => {
                    self.errors += 1;
                    return self;
                }
            }
        }
    }

    /// Sends one request and reads the answer to its end.
    async fn exchange(&mut self) -> io::Result<u16> {
        self.stream.write_all(REQUEST.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, length)) = answer(&self.buffer)?
                && self.buffer.len() >= length
            {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer and its length with headers and body, once its headers are there.
pub(super) fn answer(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let head = str::from_utf8(&bytes[..end]).map_err(|_| invalid())?;
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = headers.split("\r\n").find_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let (status, length) = status.zip(length).ok_or_else(invalid)?;
    Ok(Some((status, end + 4 + length)))
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch around each call")]
fn now() -> Instant {
    Instant::now()
}
