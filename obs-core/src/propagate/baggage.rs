use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::scan;

/// Names and values that travel with a request ([W3C Baggage](https://www.w3.org/TR/baggage/)).
///
/// Kept percent-encoded as it arrived, and decoded on reading only: what was one member never
/// becomes two. Cloning is cheap; an empty one costs nothing.
///
/// ```
/// use obs_core::propagate::Baggage;
///
/// let baggage = Baggage::parse([&b"plan=gold;ttl=60, note=a%20b"[..], b"bad member"]);
/// assert_eq!(baggage.get("plan").as_deref(), Some("gold"));
/// assert_eq!(baggage.get("note").as_deref(), Some("a b"));
/// assert_eq!(baggage.as_str(), "plan=gold;ttl=60,note=a%20b");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Baggage(Option<Arc<str>>);

/// [Limits](https://www.w3.org/TR/baggage/#limits) within which everything is carried.
const MAX_MEMBERS: usize = 64;
const MAX_LENGTH: usize = 8192;

/// One member of a [`Baggage`].
///
/// ```
/// use obs_core::propagate::Baggage;
///
/// let baggage = Baggage::empty().with("channel", "web").expect("it fits");
/// let member = baggage.iter().next().expect("one member");
/// assert_eq!((member.key, &*member.value, member.properties), ("channel", "web", ""));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BaggageMember<'a> {
    /// The name.
    pub key: &'a str,
    /// The value, decoded.
    pub value: Cow<'a, str>,
    /// The properties as they were sent, joined by `;`; empty if there are none.
    pub properties: &'a str,
}

impl Baggage {
    /// An empty one.
    #[must_use]
    pub const fn empty() -> Self {
        Self(None)
    }

    /// Reads the values of all `baggage` fields, in order.
    ///
    /// A member that breaks the grammar or does not decode to UTF-8 is dropped, and so is a
    /// property; of the rest 64 members and 8192 bytes are taken.
    #[must_use]
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut taken = Members::default();
        let members = values.into_iter().flat_map(|value| value.split(|&byte| byte == b','));
        for member in members.map(scan::trim).filter(|member| !member.is_empty()) {
            if taken.count == MAX_MEMBERS {
                break;
            }
            let Some(member) = Member::parse(member) else { continue };
            if !taken.push(&member) {
                break;
            }
        }
        taken.finish()
    }

    /// The field value; empty if there are no members.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are no members.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = BaggageMember<'_>> {
        self.members().map(|member| BaggageMember {
            key: scan::text(member.key),
            value: decode(member.value).unwrap_or_default(),
            properties: scan::text(member.properties),
        })
    }

    /// The decoded value of `key`; the last one if it is repeated.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        let member = self.members().filter(|member| member.key == key.as_bytes()).last()?;
        decode(member.value)
    }

    /// With `key` set to `value`, which is encoded as needed.
    ///
    /// `None` if the key is not a token or the result would pass a limit.
    ///
    /// ```
    /// use obs_core::propagate::Baggage;
    ///
    /// let baggage = Baggage::empty().with("note", "a, b").unwrap();
    /// assert_eq!(baggage.as_str(), "note=a%2C%20b");
    /// assert!(baggage.with("not a token", "").is_none());
    /// ```
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Option<Self> {
        self.with_properties(key, value, "")
    }

    /// As [`Baggage::with`], with properties joined by `;`, of which those that break the grammar
    /// are dropped.
    ///
    /// ```
    /// use obs_core::propagate::Baggage;
    ///
    /// let baggage = Baggage::empty().with_properties("channel", "web", "ttl=60").expect("it fits");
    /// let member = baggage.iter().next().expect("one member");
    /// assert_eq!((member.key, &*member.value, member.properties), ("channel", "web", "ttl=60"));
    /// assert!(baggage.without("channel").is_empty());
    /// ```
    #[must_use]
    pub fn with_properties(&self, key: &str, value: &str, properties: &str) -> Option<Self> {
        if !scan::is_token(key.as_bytes()) {
            return None;
        }
        let mut taken = Members::default();
        for member in self.members().filter(|member| member.key != key.as_bytes()) {
            taken.push(&member);
        }
        let value = encode(value);
        let member = Member {
            key: key.as_bytes(),
            value: value.as_bytes(),
            properties: properties.as_bytes(),
        };
        (taken.count < MAX_MEMBERS && taken.push(&member)).then(|| taken.finish())
    }

    /// Without `key`.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let mut taken = Members::default();
        for member in self.members().filter(|member| member.key != key.as_bytes()) {
            taken.push(&member);
        }
        taken.finish()
    }

    /// The members, which were checked when they were taken.
    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.as_str().split(',').filter_map(|member| Member::split(member.as_bytes()))
    }
}

/// A member, still encoded.
struct Member<'a> {
    key: &'a [u8],
    value: &'a [u8],
    properties: &'a [u8],
}

impl<'a> Member<'a> {
    fn split(member: &'a [u8]) -> Option<Self> {
        let (pair, properties) = scan::split_once(member, b';').unwrap_or((member, b""));
        let (key, value) = scan::split_once(pair, b'=')?;
        Some(Self { key: scan::trim(key), value: scan::trim(value), properties })
    }

    fn parse(member: &'a [u8]) -> Option<Self> {
        let member = Self::split(member)?;
        let valid = scan::is_token(member.key)
            && member.value.iter().all(|&byte| is_value_byte(byte))
            && decode(member.value).is_some();
        valid.then_some(member)
    }

    /// The properties that keep to the grammar, as they were sent but for blanks.
    fn valid_properties(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone {
        let properties = self.properties.split(|&byte| byte == b';').map(scan::trim);
        let properties = properties.map(|property| match scan::split_once(property, b'=') {
            Some((key, value)) => (scan::trim(key), Some(scan::trim(value))),
            None => (property, None),
        });
        properties.filter(|(key, value)| {
            scan::is_token(key)
                && value.is_none_or(|value| value.iter().all(|&byte| is_value_byte(byte)))
        })
    }
}

/// Members while they are joined.
#[derive(Default)]
struct Members {
    text: String,
    count: usize,
}

impl Members {
    /// Adds the whole of `member`, or nothing and returns `false`.
    fn push(&mut self, member: &Member<'_>) -> bool {
        let before = self.text.len();
        let separator = if before == 0 { "" } else { "," };
        self.text.extend([separator, scan::text(member.key), "=", scan::text(member.value)]);
        for (key, value) in member.valid_properties() {
            self.text.extend([";", scan::text(key)]);
            if let Some(value) = value {
                self.text.extend(["=", scan::text(value)]);
            }
        }
        let fits = self.text.len() <= MAX_LENGTH;
        if fits {
            self.count += 1;
        } else {
            self.text.truncate(before);
        }
        fits
    }

    fn finish(self) -> Baggage {
        Baggage((!self.text.is_empty()).then(|| self.text.into()))
    }
}

/// [`baggage-octet`](https://www.w3.org/TR/baggage/#definition).
const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// Decodes `%XX`; `None` if an escape is cut or the result is not UTF-8.
fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
    if !value.contains(&b'%') {
        return std::str::from_utf8(value).ok().map(Cow::Borrowed);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (digits, tail) = tail.split_first_chunk::<2>()?;
            decoded.push(crate::id::hex::parse_2(*digits)?);
            rest = tail;
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if is_value_byte(byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let mut digits = crate::id::hex::digits_2(byte);
            digits.make_ascii_uppercase();
            encoded.extend(["%", scan::text(&digits)]);
        }
    }
    encoded
}

impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shows the names only: values may be private.
impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.members().map(|member| scan::text(member.key).to_owned());
        f.debug_set().entries(keys).finish()
    }
}
