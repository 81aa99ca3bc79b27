use std::fmt;

use crate::config::ConfigError;
use crate::environment::Environment;

const VARIABLE: &str = "AWS_XRAY_DAEMON_ADDRESS";

/// Where the X-Ray daemon listens: UDP for segments, TCP for sampling rules.
///
/// Either `host:port` for both, or `tcp:host:port udp:host:port` in any order. A host is a name, an
/// IPv4 address, or an IPv6 address in brackets. Default `127.0.0.1:2000`.
///
/// ```
/// use obs_core::trace::DaemonAddress;
///
/// let address = DaemonAddress::parse("tcp:xray.local:2000 udp:[::1]:3000")?;
/// assert_eq!((address.udp(), address.tcp()), ("[::1]:3000", "xray.local:2000"));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DaemonAddress {
    udp: String,
    tcp: String,
}

impl Default for DaemonAddress {
    fn default() -> Self {
        Self { udp: "127.0.0.1:2000".to_owned(), tcp: "127.0.0.1:2000".to_owned() }
    }
}

impl DaemonAddress {
    /// The address in `AWS_XRAY_DAEMON_ADDRESS`, else the default.
    ///
    /// ```
    /// use obs_core::environment::Environment;
    /// use obs_core::trace::DaemonAddress;
    ///
    /// let address = DaemonAddress::from_environment(&Environment::empty())?;
    /// assert_eq!(address.udp(), "127.0.0.1:2000");
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] when the variable holds something else.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        environment.get(VARIABLE).map_or_else(|| Ok(Self::default()), Self::parse)
    }

    /// Reads an address. The host is looked up only when something is sent.
    ///
    /// # Errors
    /// [`ConfigError`] when it has another form.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let rule = "must be host:port, or tcp:host:port udp:host:port";
        Self::read(text.trim()).ok_or_else(|| ConfigError::new(VARIABLE, text, rule))
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (first, second) = (words.next()?, words.next());
        if words.next().is_some() {
            return None;
        }
        let Some(second) = second else {
            let both = host_and_port(first)?;
            return Some(Self { udp: both.clone(), tcp: both });
        };
        let (udp, tcp) = match (strip(first, "udp:"), strip(second, "tcp:")) {
            (Some(udp), Some(tcp)) => (udp, tcp),
            _ => (strip(second, "udp:")?, strip(first, "tcp:")?),
        };
        Some(Self { udp: host_and_port(udp)?, tcp: host_and_port(tcp)? })
    }

    /// `host:port` for segments.
    #[must_use]
    pub fn udp(&self) -> &str {
        &self.udp
    }

    /// `host:port` for sampling rules.
    #[must_use]
    pub fn tcp(&self) -> &str {
        &self.tcp
    }
}

fn strip<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn host_and_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let is_name = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    let is_v6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    (is_name || is_v6).then(|| format!("{host}:{port}"))
}

impl fmt::Debug for DaemonAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udp:{} tcp:{}", self.udp, self.tcp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_understood() {
        for (text, udp, tcp) in [
            ("127.0.0.1:2000", "127.0.0.1:2000", "127.0.0.1:2000"),
            (" xray-daemon:3000 ", "xray-daemon:3000", "xray-daemon:3000"),
            ("tcp:a:1 udp:b:2", "b:2", "a:1"),
            ("udp:b:2  tcp:a:1", "b:2", "a:1"),
            ("UDP:[::1]:2 TCP:[fe80::1]:1", "[::1]:2", "[fe80::1]:1"),
        ] {
            let address = DaemonAddress::parse(text).unwrap();
            assert_eq!((address.udp(), address.tcp()), (udp, tcp), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused_and_never_replaced_by_the_default() {
        for text in [
            "localhost",
            ":2000",
            "a:0",
            "a:65536",
            "a:b",
            "::1:2000",
            "tcp:a:1",
            "tcp:a:1 tcp:b:2",
            "udp:a:1 b:2",
            "a:1 b:2",
            "tcp:a:1 udp:b:2 x",
            "http://a:1",
            "a b:1",
        ] {
            let environment = Environment::from([(VARIABLE, text)]);
            let error = DaemonAddress::from_environment(&environment).unwrap_err();
            assert_eq!((error.field(), error.value()), (VARIABLE, text));
        }
    }
}
