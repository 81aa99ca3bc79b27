//! The `X-Amzn-Trace-Id` field,
//! [X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).

use std::fmt;
use std::sync::Arc;

use super::scan::{self, Scratch};
use crate::id::hex;
use crate::id::{SpanId, TraceId};

/// The content of one `X-Amzn-Trace-Id` field.
///
/// A load balancer sends `Root` alone; then the trace is continued without a parent and the
/// receiver decides about sampling.
///
/// ```
/// use obs_core::propagate::XrayHeader;
///
/// let header = XrayHeader::parse(b"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1").unwrap();
/// assert_eq!(header.trace_id.to_xray().as_str(), "1-5759e988-bd862e3fe1be46a994272793");
/// assert_eq!((header.parent, header.sampled), (None, Some(true)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XrayHeader {
    /// `Root`.
    pub trace_id: TraceId,
    /// `Parent`, if it is there and valid.
    pub parent: Option<SpanId>,
    /// `Sampled`: `None` if it is missing, `?` or anything but `0` and `1`.
    pub sampled: Option<bool>,
    /// What else the field carries.
    pub extras: XrayExtras,
}

/// What an `X-Amzn-Trace-Id` field carries beside `Root`, `Parent` and `Sampled`.
///
/// ```
/// use obs_core::propagate::{XrayExtras, XrayHeader};
///
/// assert_eq!(XrayExtras::none().forwarded(), "");
/// assert_eq!(XrayExtras::none().own(), None);
/// let header = XrayHeader::parse(b"Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a:0").unwrap();
/// assert!(header.extras.forwarded().contains("Lineage=a:0"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XrayExtras {
    forwarded: Option<Arc<str>>,
    own: Option<TraceId>,
}

impl XrayExtras {
    /// No extras.
    #[must_use]
    pub const fn none() -> Self {
        Self { forwarded: None, own: None }
    }

    /// `Self`: the id a load balancer gave to its own hop. For lines; never forwarded.
    #[must_use]
    pub const fn own(&self) -> Option<TraceId> {
        self.own
    }

    /// `Lineage` and unknown pairs, as they are forwarded; empty if there are none.
    #[must_use]
    pub fn forwarded(&self) -> &str {
        self.forwarded.as_deref().unwrap_or_default()
    }

    fn new(own: Option<TraceId>, lineage: Option<Pair<'_>>, unknown: &Unknown<'_>) -> Self {
        let pairs = lineage.iter().chain(unknown.pairs());
        let length: usize = pairs.clone().map(|pair| pair.length() + 1).sum();
        if length == 0 {
            return Self { forwarded: None, own };
        }
        let mut text = String::with_capacity(length);
        for (key, value) in pairs.map(|pair| (scan::text(pair.key), scan::text(pair.value))) {
            let separator = if text.is_empty() { "" } else { ";" };
            text.extend([separator, key, "=", value]);
        }
        Self { forwarded: Some(text.into()), own }
    }
}

/// Bytes of the field that are looked at; what lies behind is ignored.
const MAX_LENGTH: usize = 1024;
const MAX_LINEAGE: usize = 512;
const MAX_UNKNOWN: usize = 10;
const MAX_UNKNOWN_LENGTH: usize = 256;

#[derive(Clone, Copy)]
struct Pair<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

impl Pair<'_> {
    const fn length(&self) -> usize {
        self.key.len() + 1 + self.value.len()
    }

    fn is_plain(&self) -> bool {
        let plain = |part: &[u8]| {
            !part.is_empty()
                && part.iter().all(|&b| matches!(b, b'!'..=b'~') && !b";=,\"".contains(&b))
        };
        plain(self.key) && plain(self.value)
    }
}

/// Pairs this version knows nothing about, within bounds.
#[derive(Default)]
struct Unknown<'a> {
    pairs: [Option<Pair<'a>>; MAX_UNKNOWN],
    count: usize,
    length: usize,
}

impl<'a> Unknown<'a> {
    fn keep(&mut self, pair: Pair<'a>) {
        let length = self.length + pair.length();
        if pair.is_plain() && self.count < MAX_UNKNOWN && length <= MAX_UNKNOWN_LENGTH {
            self.pairs[self.count] = Some(pair);
            self.count += 1;
            self.length = length;
        }
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair<'a>> + Clone {
        self.pairs.iter().flatten()
    }
}

impl XrayHeader {
    /// Reads one field value; `None` without exactly one valid `Root`, or if `Parent` or `Sampled`
    /// is repeated.
    ///
    /// Keys are compared without regard to case and may come in any order. Allocates only for
    /// `Lineage` and unknown pairs.
    ///
    /// ```
    /// use obs_core::propagate::XrayHeader;
    ///
    /// let field = b"Root=1-58406520-a006649127e371903a2de979";
    /// let header = XrayHeader::parse(field).unwrap();
    /// assert_eq!((header.parent, header.sampled), (None, None));
    /// ```
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        Self::parse_usual(value).or_else(|| Self::parse_any(value))
    }

    /// Reads the spelling that load balancers, SDKs and this crate use, without extras.
    fn parse_usual(value: &[u8]) -> Option<Self> {
        let (root, rest) = value.strip_prefix(b"Root=")?.split_first_chunk::<35>()?;
        let (parent, rest) = match rest.strip_prefix(b";Parent=") {
            Some(rest) => {
                let (parent, rest) = rest.split_first_chunk::<16>()?;
                (Some(parse_parent(parent)?), rest)
            }
            None => (None, rest),
        };
        let sampled = match rest {
            b";Sampled=1" => Some(true),
            b";Sampled=0" => Some(false),
            b"" => None,
            _ => return None,
        };
        let (trace_id, extras) = (TraceId::from_xray_bytes(root)?, XrayExtras::none());
        Some(Self { trace_id, parent, sampled, extras })
    }

    pub(super) fn parse_any(value: &[u8]) -> Option<Self> {
        let (mut root, mut parent, mut sampled) = (None, None, None);
        let (mut own, mut lineage, mut unknown) = (None, None, Unknown::default());
        for pair in within(value, MAX_LENGTH).split(|&byte| byte == b';') {
            let Some((key, value)) = scan::split_once(pair, b'=') else { continue };
            let pair = Pair { key: scan::trim(key), value: scan::trim(value) };
            let is = |name: &str| pair.key.eq_ignore_ascii_case(name.as_bytes());
            if is("root") {
                set_once(&mut root, TraceId::from_xray_bytes(pair.value)?)?;
            } else if is("parent") {
                set_once(&mut parent, parse_parent(pair.value))?;
            } else if is("sampled") {
                set_once(&mut sampled, parse_sampled(pair.value))?;
            } else if is("self") {
                own = TraceId::from_xray_bytes(pair.value);
            } else if is("lineage") {
                let pair = Pair { key: b"Lineage", ..pair };
                lineage = (pair.is_plain() && pair.value.len() <= MAX_LINEAGE).then_some(pair);
            } else {
                unknown.keep(pair);
            }
        }
        Some(Self {
            trace_id: root?,
            parent: parent.flatten(),
            sampled: sampled.flatten(),
            extras: XrayExtras::new(own, lineage, &unknown),
        })
    }
}

/// Appends the field value to `out`.
pub(super) fn write(
    trace_id: TraceId,
    parent: Option<SpanId>,
    sampled: Option<bool>,
    extras: &XrayExtras,
    out: &mut Scratch,
) {
    if let (Some(parent), Some(sampled)) = (parent, sampled) {
        out.extend_from_slice(&usual(trace_id, parent, sampled));
    } else {
        out.extend_from_slice(b"Root=");
        out.extend_from_slice(trace_id.to_xray().as_bytes());
        if let Some(parent) = parent {
            out.extend_from_slice(b";Parent=");
            out.extend_from_slice(parent.to_hex().as_bytes());
        }
        if let Some(sampled) = sampled {
            out.extend_from_slice(if sampled { b";Sampled=1" } else { b";Sampled=0" });
        }
    }
    if let Some(forwarded) = &extras.forwarded {
        out.push(b';');
        out.extend_from_slice(forwarded.as_bytes());
    }
}

/// The field value when everything is known, in one piece.
pub(super) fn usual(trace_id: TraceId, parent: SpanId, sampled: bool) -> [u8; 74] {
    let mut value = *b"Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0";
    value[5..40].copy_from_slice(trace_id.to_xray().as_bytes());
    value[48..64].copy_from_slice(parent.to_hex().as_bytes());
    if sampled {
        value[73] = b'1';
    }
    value
}

/// The first `length` bytes, without a pair that is cut.
fn within(value: &[u8], length: usize) -> &[u8] {
    if value.len() <= length {
        return value;
    }
    let end = value[..length].iter().rposition(|&byte| byte == b';').unwrap_or_default();
    &value[..end]
}

/// `None` if it was set before.
fn set_once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

fn parse_parent(value: &[u8]) -> Option<SpanId> {
    SpanId::new(hex::parse_16(value.try_into().ok()?)?)
}

const fn parse_sampled(value: &[u8]) -> Option<bool> {
    match value {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

/// The field value; without `Sampled` if the decision is open.
impl fmt::Display for XrayHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Scratch::new();
        write(self.trace_id, self.parent, self.sampled, &self.extras, &mut text);
        f.write_str(scan::text(&text))
    }
}
