//! Whose limit a request counts against.

mod buffer;
mod fingerprint;
mod siphash;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderName, request};
use obs_core::client_address::TrustedHops;
use obs_core::config::ConfigError;
use obs_core::context::RequestContext;

pub(crate) use buffer::KeyBuffer;
pub(crate) use fingerprint::TableSeed;
pub(crate) use siphash::siphash128;

/// Takes the parts of a key, one after another.
pub(crate) trait Parts {
    /// Appends a part.
    fn push(&mut self, tag: u8, part: &[u8]);

    /// Appends a part that the request does not have.
    fn push_absent(&mut self, tag: u8);
}

/// The most parts of a key.
const MAX_PARTS: usize = 6;
/// The longest part that is told from others; all longer ones count as one. Unit: bytes.
const LONGEST: usize = 8_192;

/// What of a request names the bucket it counts against.
///
/// Parts are combined with [`Key::and`]; every combination of their values has a bucket of its
/// own. Values are hashed at once: no tenant, user, credential or address stands in a table, a
/// store or a line.
///
/// ```
/// use obs_ratelimit::Key;
///
/// let per_tenant_and_method = Key::tenant().and(Key::method());
/// assert!(!per_tenant_and_method.is_global());
/// assert!(Key::global().is_global());
/// ```
///
/// [`RequestContext`]: obs_core::context::RequestContext
#[derive(Clone, Debug)]
pub struct Key {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Tenant(Option<HeaderName>),
    User(Option<HeaderName>),
    Method,
    Address { hops: TrustedHops, prefix: u8, peer: Peer },
    Header(HeaderName),
    Route(Reader),
    Custom(&'static str, Reader),
}

type Peer = Arc<dyn Fn(&request::Parts) -> Option<IpAddr> + Send + Sync>;

type Reader =
    Arc<dyn for<'a> Fn(&'a request::Parts) -> Option<std::borrow::Cow<'a, str>> + Send + Sync>;

impl Key {
    /// One bucket for all requests.
    #[must_use]
    pub const fn global() -> Self {
        Self { parts: Vec::new() }
    }

    /// The tenant of the request, as its [`RequestContext`] knows it; where there is no context,
    /// because no observability layer is around, the header `x-tenant-id`.
    #[must_use]
    pub fn tenant() -> Self {
        Self::of(Part::Tenant(None))
    }

    /// The tenant that `header` names, for an edge at which that header can be trusted.
    #[must_use]
    pub fn tenant_from(header: HeaderName) -> Self {
        Self::of(Part::Tenant(Some(header)))
    }

    /// The user of the request, within its tenant: equal user ids of two tenants are two users.
    ///
    /// Both come from the [`RequestContext`]; where there is no context, from the headers
    /// `x-tenant-id` and `x-user-id`.
    #[must_use]
    pub fn user() -> Self {
        Self { parts: vec![Part::Tenant(None), Part::User(None)] }
    }

    /// The user that `header` names, within the tenant that `tenant` names.
    ///
    /// ```
    /// use http::HeaderName;
    /// use obs_ratelimit::Key;
    ///
    /// let (tenant, user) = (HeaderName::from_static("x-org"), HeaderName::from_static("x-login"));
    /// for key in [
    ///     Key::user(),
    ///     Key::user_from(tenant.clone(), user),
    ///     Key::tenant_from(tenant),
    ///     Key::api_key(http::header::AUTHORIZATION),
    ///     Key::header(HeaderName::from_static("x-device")),
    /// ] {
    ///     assert!(!key.is_global());
    /// }
    /// ```
    #[must_use]
    pub fn user_from(tenant: HeaderName, header: HeaderName) -> Self {
        Self { parts: vec![Part::Tenant(Some(tenant)), Part::User(Some(header))] }
    }

    /// The value of a credential header, such as `x-api-key` or `authorization`.
    #[must_use]
    pub fn api_key(header: HeaderName) -> Self {
        Self::of(Part::Header(header))
    }

    /// The value of `header`; several header lines of this name are several values, and the first
    /// counts.
    #[must_use]
    pub fn header(header: HeaderName) -> Self {
        Self::of(Part::Header(header))
    }

    /// The address of the client: the peer of the connection, or what `hops` trusted proxies in
    /// front of the service say, and never what a client writes itself.
    ///
    /// IPv4 in IPv6 form is IPv4. IPv6 addresses count by their first `ipv6_prefix` bits, at most
    /// 128, for one customer has a whole prefix: 64 as a rule, 56 for home connections. `peer`
    /// reads the address of the connection, under axum from its `ConnectInfo`.
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use obs_core::client_address::TrustedHops;
    /// use obs_ratelimit::Key;
    ///
    /// // Behind one load balancer; whole IPv6 prefixes count as one client.
    /// let key = Key::client_address(TrustedHops::new(1), 64, |request| {
    ///     request.extensions.get::<SocketAddr>().map(SocketAddr::ip)
    /// });
    /// assert!(!key.is_global());
    /// ```
    #[must_use]
    pub fn client_address<F>(hops: TrustedHops, ipv6_prefix: u8, peer: F) -> Self
    where
        F: Fn(&request::Parts) -> Option<IpAddr> + Send + Sync + 'static,
    {
        Self::of(Part::Address { hops, prefix: ipv6_prefix.min(128), peer: Arc::new(peer) })
    }

    /// The method of the request. Methods outside RFC 9110 and PATCH count as one.
    #[must_use]
    pub fn method() -> Self {
        Self::of(Part::Method)
    }

    /// The template of the route that matched, as `read` finds it: `/orders/{id}`, never the path
    /// itself, which would give every id a bucket of its own. `None` where no route matched.
    ///
    /// ```
    /// use obs_ratelimit::Key;
    ///
    /// /// What the router found, as axum's `MatchedPath`.
    /// #[derive(Clone)]
    /// struct Template(String);
    ///
    /// let by_route = Key::route(|request| request.extensions.get::<Template>().map(|t| t.0.as_str()));
    /// let by_plan = Key::custom("plan", |request| {
    ///     request.headers.get("x-plan")?.to_str().ok().map(str::to_owned)
    /// });
    /// assert!(!by_route.and(by_plan).is_global());
    /// ```
    #[must_use]
    pub fn route<F>(read: F) -> Self
    where
        F: Fn(&request::Parts) -> Option<&str> + Send + Sync + 'static,
    {
        Self::of(Part::Route(Arc::new(move |parts| read(parts).map(Into::into))))
    }

    /// Whatever `read` finds; `name` is for messages.
    #[must_use]
    pub fn custom<F>(name: &'static str, read: F) -> Self
    where
        F: Fn(&request::Parts) -> Option<String> + Send + Sync + 'static,
    {
        Self::of(Part::Custom(name, Arc::new(move |parts| read(parts).map(Into::into))))
    }

    /// The combination of both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// Whether all requests share one bucket.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether a caller cannot add keys at will: no parts, or route and method only.
    pub(crate) fn is_bounded(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Route(_) | Part::Method))
    }

    fn of(part: Part) -> Self {
        Self { parts: vec![part] }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.parts.len() > MAX_PARTS {
            let rule = format!("must have at most {MAX_PARTS} parts");
            return Err(ConfigError::new("key", self.parts.len(), rule));
        }
        Ok(())
    }

    /// Tells the parts of a request's key.
    #[inline]
    pub(crate) fn encode(&self, request: &request::Parts, into: &mut impl Parts) {
        for part in &self.parts {
            part.encode(request, into);
        }
    }

    /// Whether a key has as many parts as there are values.
    pub(crate) const fn fits(&self, values: &[&str]) -> bool {
        values.len() == self.parts.len()
    }

    /// Tells the parts of the key that has these values, in their order; they must
    /// [fit](Self::fits).
    #[inline]
    pub(crate) fn encode_values(&self, values: &[&str], into: &mut impl Parts) {
        for (index, part) in self.parts.iter().enumerate() {
            let Some(value) = values.get(index) else { return };
            match part {
                Part::Address { prefix, .. } => match value.parse() {
                    Ok(address) => into.push(part.tag(), &masked(address, *prefix)),
                    Err(_) => into.push(part.tag(), value.as_bytes()),
                },
                _ => into.push(part.tag(), value.as_bytes()),
            }
        }
    }

    /// The values of `of`, a key whose parts are among those of this one, from the values of this
    /// one; `None` if a part is not.
    pub(crate) fn values_of<'a>(&self, of: &Self, values: &[&'a str]) -> Option<Vec<&'a str>> {
        let value = |part: &Part| {
            let mut known = self.parts.iter().zip(values);
            known.find(|(known, _)| known.is_like(part)).map(|(_, value)| *value)
        };
        of.parts.iter().map(value).collect()
    }
}

impl Part {
    fn is_like(&self, other: &Self) -> bool {
        self.tag() == other.tag() && format!("{self:?}") == format!("{other:?}")
    }

    /// Part of every stored key: never change the number of a kind.
    const fn tag(&self) -> u8 {
        match self {
            Self::Tenant(_) => 1,
            Self::User(_) => 2,
            Self::Method => 3,
            Self::Header(_) => 4,
            Self::Route(_) => 5,
            Self::Custom(..) => 6,
            Self::Address { .. } => 7,
        }
    }

    #[inline]
    fn encode(&self, request: &request::Parts, into: &mut impl Parts) {
        let tag = self.tag();
        let from_header =
            |name: &HeaderName| request.headers.get(name).map(http::HeaderValue::as_bytes);
        let bytes = match self {
            Self::Tenant(Some(header)) | Self::User(Some(header)) | Self::Header(header) => {
                from_header(header)
            }
            Self::Tenant(None) | Self::User(None) => {
                let tenant = matches!(self, Self::Tenant(_));
                let known = RequestContext::with_current(|context| {
                    let id = if tenant { context.tenant_id() } else { context.user_id() };
                    id.map(|id| into.push(tag, id.as_bytes())).is_some()
                });
                match known {
                    Some(true) => return,
                    // The context ends the search: it left out what it was told not to trust.
                    Some(false) => None,
                    None if tenant => from_header(&HeaderName::from_static("x-tenant-id")),
                    None => from_header(&HeaderName::from_static("x-user-id")),
                }
            }
            Self::Address { hops, prefix, peer } => {
                return match hops.client_address(&request.headers, peer(request)) {
                    Some(address) => into.push(tag, &masked(address, *prefix)),
                    None => into.push_absent(tag),
                };
            }
            Self::Method => Some(method(&request.method).as_bytes()),
            Self::Route(read) | Self::Custom(_, read) => {
                return match read(request) {
                    Some(value) => into.push(tag, value.as_bytes()),
                    None => into.push_absent(tag),
                };
            }
        };
        match bytes.filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => into.push(tag, bytes),
            None => into.push_absent(tag),
        }
    }
}

/// The address as 16 bytes: IPv4 in IPv6 form, whole; IPv6 with only its first `prefix` bits.
fn masked(address: IpAddr, prefix: u8) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            (address.to_bits() & mask).to_be_bytes()
        }
    }
}

/// The name of a known method; a caller can invent any number of others.
fn method(method: &http::Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "CONNECT"
        | "TRACE") => known,
        _ => "_OTHER",
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(_) => f.write_str("tenant"),
            Self::User(_) => f.write_str("user"),
            Self::Method => f.write_str("method"),
            Self::Address { prefix, .. } => write!(f, "client address, IPv6 /{prefix}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Route(_) => f.write_str("route"),
            Self::Custom(name, _) => write!(f, "custom {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(hops: u8, lines: &[&str]) -> Vec<u8> {
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        let key = Key::client_address(TrustedHops::new(hops), 64, move |_| Some(peer));
        let request = lines.iter().fold(http::Request::get("/"), |request, line| {
            request.header("x-forwarded-for", *line)
        });
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut buffer = KeyBuffer::new([0; 2]);
        key.encode(&parts, &mut buffer);
        buffer.as_bytes().to_vec()
    }

    #[test]
    fn rl_40_what_a_client_writes_gives_it_no_other_bucket() {
        assert_eq!(key_of(0, &["203.0.113.9"]), key_of(0, &["198.51.100.1"]));
        assert_eq!(key_of(1, &["spoofed, 203.0.113.9"]), key_of(1, &["1.2.3.4, 203.0.113.9"]));
        assert_eq!(key_of(1, &["1.2.3.4", "203.0.113.9"]), key_of(1, &["203.0.113.9"]));
        assert_ne!(key_of(1, &["203.0.113.9"]), key_of(1, &["203.0.113.8"]));
    }

    #[test]
    fn rl_40_the_forms_of_one_address_are_one_key() {
        assert_eq!(key_of(1, &["::ffff:203.0.113.9"]), key_of(1, &["203.0.113.9"]));
        assert_eq!(key_of(1, &["203.0.113.9:4711"]), key_of(1, &["203.0.113.9"]));
        assert_eq!(key_of(1, &["2001:db8::1"]), key_of(1, &["2001:db8::ffff:1"]));
        assert_ne!(key_of(1, &["2001:db8::1"]), key_of(1, &["2001:db8:0:1::1"]));
    }
}
