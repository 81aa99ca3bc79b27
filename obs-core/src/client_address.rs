//! Who sent a request, as far as the proxies in front of the service can be trusted.
//!
//! ```
//! use http::{HeaderMap, HeaderValue};
//! use obs_core::client_address::TrustedHops;
//!
//! let headers = HeaderMap::from_iter([(
//!     http::header::HeaderName::from_static("x-forwarded-for"),
//!     HeaderValue::from_static("198.51.100.7"),
//! )]);
//! let peer = Some([10, 0, 0, 1].into());
//! // Behind one load balancer, which says whom it spoke to; with none, the peer is the client.
//! let address = TrustedHops::new(1).client_address(&headers, peer);
//! assert_eq!(address, Some([198, 51, 100, 7].into()));
//! assert_eq!(TrustedHops::new(0).client_address(&headers, peer), peer);
//! ```

use std::net::{IpAddr, SocketAddr};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use crate::config::ConfigError;
use crate::environment::Environment;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many proxies of our own stand between the clients and this service.
///
/// Each proxy appends the address it was called from to `X-Forwarded-For`; what a client wrote
/// there itself stands to the left of that. So with one load balancer in front the last entry is
/// the client, with a CDN before it the last but one, and no entry further left is ever believed.
/// The service must not be reachable past the proxies that are counted.
///
/// ```
/// use http::HeaderMap;
/// use obs_core::client_address::TrustedHops;
///
/// let peer = "10.0.0.7".parse().unwrap();
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.9".parse().unwrap());
/// let client = |hops| TrustedHops::new(hops).client_address(&headers, Some(peer)).unwrap();
/// assert_eq!(client(0), peer, "no proxy: the header is the client's own claim");
/// assert_eq!(client(1).to_string(), "203.0.113.9");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TrustedHops(u8);

impl TrustedHops {
    /// The number of proxies. Default 0: the peer of the connection is the client.
    #[must_use]
    pub const fn new(hops: u8) -> Self {
        Self(hops)
    }

    /// The number in `OBS_TRUSTED_HOPS`, default 0.
    ///
    /// ```
    /// use obs_core::client_address::TrustedHops;
    /// use obs_core::environment::Environment;
    ///
    /// assert!(TrustedHops::from_environment(&Environment::empty()).is_ok());
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if it is not a number from 0 to 255.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        const NAME: &str = "OBS_TRUSTED_HOPS";
        let Some(value) = environment.get(NAME) else { return Ok(Self::default()) };
        let hops = value.parse().map_err(|_| ConfigError::new(NAME, value, "must be 0 to 255"))?;
        Ok(Self(hops))
    }

    /// The address of the client; `peer` is the other end of the connection, if it is known.
    ///
    /// With fewer entries than hops the leftmost is taken, and without any, or if the entry is no
    /// address, `peer`. A port is cut off, and an IPv4 address in IPv6 form is shown as IPv4. Does
    /// not allocate.
    #[must_use]
    pub fn client_address(self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        let forwarded = if self.0 == 0 { None } else { self.forwarded(headers) };
        forwarded.or(peer).map(|address| address.to_canonical())
    }

    /// The address that the farthest of the proxies saw.
    fn forwarded(self, headers: &HeaderMap) -> Option<IpAddr> {
        let fields = headers.get_all(&X_FORWARDED_FOR).iter().rev().map(HeaderValue::as_bytes);
        let entries = fields.flat_map(|field| field.rsplit(|&byte| byte == b','));
        parse(entries.take(usize::from(self.0)).last()?)
    }
}

/// An address with or without a port, IPv6 with or without brackets.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    entry
        .parse::<IpAddr>()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| in_brackets().map(IpAddr::V6))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(hops: u8, fields: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(&X_FORWARDED_FOR, HeaderValue::from_str(field).unwrap());
        }
        let peer = "10.0.0.7".parse().ok();
        TrustedHops::new(hops).client_address(&headers, peer).unwrap().to_string()
    }

    #[test]
    fn only_what_a_trusted_proxy_wrote_is_believed() {
        for (hops, fields, expected) in [
            (0, &["1.1.1.1"][..], "10.0.0.7"),
            (1, &["1.1.1.1"], "1.1.1.1"),
            (1, &["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
            (2, &["6.6.6.6, 1.1.1.1, 2.2.2.2"], "1.1.1.1"),
            (2, &["6.6.6.6, 1.1.1.1", "2.2.2.2"], "1.1.1.1"),
            (2, &["2.2.2.2"], "2.2.2.2"),
            (1, &[], "10.0.0.7"),
            (1, &["1.1.1.1, unknown"], "10.0.0.7"),
            (1, &["1.1.1.1, "], "10.0.0.7"),
            (1, &["1.1.1.1:4711"], "1.1.1.1"),
            (1, &["2001:db8::1"], "2001:db8::1"),
            (1, &["[2001:db8::1]"], "2001:db8::1"),
            (1, &["[2001:db8::1]:443"], "2001:db8::1"),
            (1, &["::ffff:1.1.1.1"], "1.1.1.1"),
            (1, &["[1.1.1.1]"], "10.0.0.7"),
            (1, &["01.1.1.1"], "10.0.0.7"),
        ] {
            assert_eq!(client(hops, fields), expected, "{hops} {fields:?}");
        }
    }

    #[test]
    fn the_number_of_hops_is_read_and_checked() {
        let hops = |value: &str| {
            TrustedHops::from_environment(&Environment::from([("OBS_TRUSTED_HOPS", value)]))
        };
        assert_eq!(hops("2").unwrap(), TrustedHops::new(2));
        assert_eq!(hops("").unwrap(), TrustedHops::new(0));
        assert_eq!(hops("-1").unwrap_err().value(), "-1");
    }

    proptest! {
        #[test]
        fn what_a_client_writes_never_counts(claim in "[ -~]{0,40}") {
            prop_assert_eq!(client(1, &[&format!("{claim}, 1.1.1.1")]), "1.1.1.1");
            prop_assert_eq!(client(1, &[&claim, "1.1.1.1"]), "1.1.1.1");
            prop_assert_eq!(client(0, &[&claim]), "10.0.0.7");
        }
    }
}
