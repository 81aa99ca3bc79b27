use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{ApiError, SamplingApi, Statistics, Targets, read_rules, read_targets};
use super::rule::Rule;

const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_ANSWER: u64 = 1024 * 1024;
/// An account may have 25 rules by default; a page holds many more.
const MAX_PAGES: usize = 100;

/// Speaks to the HTTP proxy of the daemon, which signs and forwards the calls.
///
/// HTTP 1.0: one request per connection, and an answer that ends with it.
#[derive(Debug)]
pub(super) struct DaemonClient {
    address: String,
}

impl DaemonClient {
    pub(super) const fn new(address: String) -> Self {
        Self { address }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        let answer = self.exchange(path, &body.to_string());
        let answer = answer.map_err(|error| ApiError(format!("{path}: {error}")))?;
        read_answer(&answer).map_err(|error| ApiError(format!("{path}: {error}")))
    }

    fn exchange(&self, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
        for address in self.address.to_socket_addrs()? {
            let mut stream = match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => stream,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            let head = format!(
                "POST {path} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n",
                self.address,
                body.len()
            );
            stream.write_all(head.as_bytes())?;
            stream.write_all(body.as_bytes())?;
            let mut answer = Vec::new();
            stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
            return Ok(answer);
        }
        Err(last)
    }
}

/// The body of an answer with a status of success.
pub(super) fn read_answer(answer: &[u8]) -> Result<Value, String> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("the answer has no end of its head")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        return Err(format!("status {}", status.escape_debug()));
    }
    serde_json::from_slice(&answer[end + 4..]).map_err(|error| error.to_string())
}

impl SamplingApi for DaemonClient {
    fn rules(&mut self) -> Result<Vec<Rule>, ApiError> {
        let mut rules = Vec::new();
        let mut token = None::<String>;
        for _ in 0..MAX_PAGES {
            let page = self.post("/GetSamplingRules", &json!({ "NextToken": token }))?;
            let (more, next) = read_rules(&page)?;
            rules.extend(more);
            if next.is_none() {
                return Ok(rules);
            }
            token = next;
        }
        Err(ApiError("/GetSamplingRules: the pages have no end".to_owned()))
    }

    fn targets(&mut self, statistics: &[Statistics]) -> Result<Targets, ApiError> {
        let documents: Vec<_> = statistics.iter().map(Statistics::to_json).collect();
        let body = json!({ "SamplingStatisticsDocuments": documents });
        read_targets(&self.post("/SamplingTargets", &body)?)
    }
}
