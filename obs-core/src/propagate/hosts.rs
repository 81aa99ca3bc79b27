use std::net::IpAddr;
use std::sync::Arc;

use super::TrustPolicy;

/// Which hosts are ours, and so are told more than the others.
///
/// ```
/// use obs_core::propagate::{TrustPolicy, TrustedHosts};
///
/// let hosts = TrustedHosts::loopback().and("orders.example.com").and("*.shop.internal");
/// assert_eq!(hosts.policy("cart.shop.internal"), TrustPolicy::internal());
/// assert_eq!(hosts.policy("shop.internal.evil.example"), TrustPolicy::external());
/// ```
#[derive(Clone, Debug)]
pub struct TrustedHosts {
    network: Network,
    patterns: Arc<[Arc<str>]>,
    ours: TrustPolicy,
    others: TrustPolicy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    None,
    Loopback,
    Private,
}

impl TrustedHosts {
    fn new(network: Network) -> Self {
        Self {
            network,
            patterns: Arc::new([]),
            ours: TrustPolicy::internal(),
            others: TrustPolicy::external(),
        }
    }

    /// No host at all.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Network::None)
    }

    /// `localhost` and the loopback addresses.
    #[must_use]
    pub fn loopback() -> Self {
        Self::new(Network::Loopback)
    }

    /// Beside [`TrustedHosts::loopback`]: private addresses (RFC 1918, RFC 4193), names without a
    /// dot, and names under `.internal`, `.local` and `.svc`, which no public host can have.
    #[must_use]
    pub fn private_network() -> Self {
        Self::new(Network::Private)
    }

    /// Adds a host name, or with a leading `*.` all names below one.
    #[must_use]
    pub fn and(mut self, pattern: impl Into<Arc<str>>) -> Self {
        self.patterns = self.patterns.iter().cloned().chain([pattern.into()]).collect();
        self
    }

    /// Sets what the trusted hosts are told. Default [`TrustPolicy::internal`].
    #[must_use]
    pub fn ours(mut self, policy: TrustPolicy) -> Self {
        self.ours = policy;
        self
    }

    /// Sets what all other hosts are told. Default [`TrustPolicy::external`].
    #[must_use]
    pub fn others(mut self, policy: TrustPolicy) -> Self {
        self.others = policy;
        self
    }

    /// What `host` is told; a host name or address, without a port, as in
    /// [`http::Uri::host`].
    ///
    /// ```
    /// use obs_core::propagate::{TrustPolicy, TrustedHosts};
    ///
    /// let hosts = TrustedHosts::private_network()
    ///     .and("*.shop.internal")
    ///     .ours(TrustPolicy::internal())
    ///     .others(TrustPolicy::external());
    /// assert!(hosts.contains("orders.shop.internal") && !hosts.contains("partner.example"));
    /// assert!(!hosts.policy("partner.example").allows_tenant_id());
    /// assert!(!TrustedHosts::none().contains("localhost"));
    /// ```
    #[must_use]
    pub fn policy(&self, host: &str) -> TrustPolicy {
        if self.contains(host) { self.ours } else { self.others }
    }

    /// Whether `host` is one of ours.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.patterns.iter().any(|pattern| matches(pattern, host)) || self.network.contains(host)
    }
}

impl Default for TrustedHosts {
    fn default() -> Self {
        Self::loopback()
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => suffix.starts_with('.') && is_below(host, suffix),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// Whether `host` ends in `suffix`, which starts with a dot.
fn is_below(host: &str, suffix: &str) -> bool {
    host.len()
        .checked_sub(suffix.len())
        .and_then(|start| host.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        && host.len() > suffix.len()
}

impl Network {
    fn contains(self, host: &str) -> bool {
        let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address =
            literal.unwrap_or(host).parse::<IpAddr>().map(|address| address.to_canonical());
        match (self, address) {
            (Self::None, _) => false,
            (Self::Loopback, Ok(address)) => address.is_loopback(),
            (Self::Private, Ok(address)) => address.is_loopback() || is_private(address),
            (Self::Loopback, Err(_)) => host.eq_ignore_ascii_case("localhost"),
            (Self::Private, Err(_)) => {
                is_single_label(host)
                    || [".internal", ".local", ".svc"].iter().any(|end| is_below(host, end))
            }
        }
    }
}

/// A name without a dot. It starts with a letter, for resolvers read `134744072` and `0x08080808`
/// as addresses.
fn is_single_label(host: &str) -> bool {
    host.starts_with(|first: char| first.is_ascii_alphabetic())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Link-local addresses do not count: the cloud's metadata service lives there.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_trusted_unless_told_otherwise() {
        let hosts = TrustedHosts::default();
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "[::1]", "localhost."] {
            assert!(hosts.contains(host), "{host}");
        }
        for host in ["10.0.0.1", "orders", "localhost.evil.example", "", "[::1", "1.127.0.0"] {
            assert!(!hosts.contains(host), "{host}");
        }
    }

    #[test]
    fn a_private_network_holds_what_no_public_host_can_be() {
        let hosts = TrustedHosts::private_network();
        for host in ["10.1.2.3", "192.168.0.9", "[fd00::1]", "orders", "cart.shop.local", "::1"] {
            assert!(hosts.contains(host), "{host}");
        }
        for host in [
            "169.254.169.254",
            "8.8.8.8",
            "api.example.com",
            "internal.example",
            ".local",
            "134744072",
            "[::1",
        ] {
            assert!(!hosts.contains(host), "{host}");
        }
    }

    #[test]
    fn a_pattern_matches_whole_labels_only() {
        let hosts = TrustedHosts::none().and("api.example.com").and("*.ours.example");
        assert!(hosts.contains("API.example.com") && hosts.contains("a.b.ours.example"));
        for host in ["ours.example", "yours.example", "xours.example", "localhost", "é.example"] {
            assert!(!hosts.contains(host), "{host}");
        }
    }
}
