//! The `traceparent` field, [W3C Trace Context level 2](https://www.w3.org/TR/trace-context-2/).

use super::scan;
use crate::id::hex;
use crate::id::{SpanId, TraceId};

const SAMPLED: u8 = 0x01;
const RANDOM: u8 = 0x02;
const LENGTH: usize = 55;

/// The content of one `traceparent` field.
///
/// ```
/// use obs_core::propagate::Traceparent;
///
/// let header = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parsed = Traceparent::parse(header).expect("it is well-formed");
/// assert!(parsed.sampled);
/// assert_eq!(&parsed.to_bytes(), header);
/// assert!(Traceparent::parse(b"00-4BF9...").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span.
    pub span_id: SpanId,
    /// Whether the caller recorded it.
    pub sampled: bool,
    /// Whether the low 56 bits of the trace id are random.
    pub random: bool,
}

impl Traceparent {
    /// Reads one field value; `None` unless it keeps to the specification.
    ///
    /// Versions above `00` are read as far as version `00` goes. Never allocates.
    ///
    /// ```
    /// use obs_core::propagate::Traceparent;
    ///
    /// let field = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// assert!(Traceparent::parse(field).unwrap().sampled);
    /// assert_eq!(Traceparent::parse(b"00-1-1-01"), None);
    /// ```
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = scan::trim(value);
        let (head, rest) = value.split_first_chunk::<LENGTH>()?;
        if head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
            return None;
        }
        match hex::parse_lower_2([head[0], head[1]])? {
            0xff => return None,
            0 if !rest.is_empty() => return None,
            _ if !matches!(rest.first(), None | Some(b'-')) => return None,
            _ => {}
        }
        let flags = hex::parse_lower_2([head[53], head[54]])?;
        Some(Self {
            trace_id: TraceId::from_hex_bytes(&head[3..35])?,
            span_id: SpanId::from_hex_bytes(&head[36..52])?,
            sampled: flags & SAMPLED != 0,
            random: flags & RANDOM != 0,
        })
    }

    /// The field value, version `00`. Never allocates.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LENGTH] {
        let mut out = [b'-'; LENGTH];
        out[..2].copy_from_slice(b"00");
        out[3..35].copy_from_slice(self.trace_id.to_hex().as_bytes());
        out[36..52].copy_from_slice(self.span_id.to_hex().as_bytes());
        let sampled = if self.sampled { SAMPLED } else { 0 };
        let random = if self.random { RANDOM } else { 0 };
        out[53..].copy_from_slice(&hex::digits_2(sampled | random));
        out
    }
}
