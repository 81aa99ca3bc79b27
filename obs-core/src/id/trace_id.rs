use std::fmt;
use std::num::NonZeroU128;

use super::{Ascii, hex};

/// The id of a trace: 16 bytes, not all zero.
///
/// It has two spellings for the same 128 bits: 32 hexadecimal digits
/// ([W3C](https://www.w3.org/TR/trace-context-2/#trace-id)) and `1-8hex-24hex`
/// ([X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids)).
///
/// ```
/// use obs_core::id::TraceId;
///
/// let id = TraceId::from_xray("1-58406520-a006649127e371903a2de979").unwrap();
/// assert_eq!(id.to_hex(), "58406520a006649127e371903a2de979");
/// assert_eq!(TraceId::from_hex("00000000000000000000000000000000"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// The id with this value; `None` for zero.
    #[must_use]
    pub const fn new(value: u128) -> Option<Self> {
        match NonZeroU128::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Reads exactly 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        Self::from_hex_bytes(text.as_bytes())
    }

    #[inline]
    pub(crate) fn from_hex_bytes(text: &[u8]) -> Option<Self> {
        let text: &[u8; 32] = text.try_into().ok()?;
        let (high, low) = text.split_first_chunk()?;
        let (high, low) = (hex::parse_lower_16(high)?, hex::parse_lower_16(low.first_chunk()?)?);
        Self::new(u128::from(high) << 64 | u128::from(low))
    }

    /// Reads exactly `1-8hex-24hex`, in either case.
    #[must_use]
    pub fn from_xray(text: &str) -> Option<Self> {
        Self::from_xray_bytes(text.as_bytes())
    }

    #[inline]
    pub(crate) fn from_xray_bytes(text: &[u8]) -> Option<Self> {
        let text: &[u8; 35] = text.try_into().ok()?;
        if text[0] != b'1' || text[1] != b'-' || text[10] != b'-' {
            return None;
        }
        let epoch = hex::parse_8(text[2..].first_chunk()?)?;
        let middle = hex::parse_8(text[11..].first_chunk()?)?;
        let low = hex::parse_16(text[19..].first_chunk()?)?;
        Self::new(u128::from(epoch << 32 | middle) << 64 | u128::from(low))
    }

    /// 32 lower-case hexadecimal digits.
    #[inline]
    #[must_use]
    pub fn to_hex(self) -> Ascii<32> {
        Ascii::new(hex::digits_32(self.0.get()))
    }

    /// The X-Ray spelling, `1-8hex-24hex`.
    #[inline]
    #[must_use]
    pub fn to_xray(self) -> Ascii<35> {
        let mut text = [0; 35];
        let digits = self.to_hex();
        let digits = digits.as_bytes();
        text[..2].copy_from_slice(b"1-");
        text[2..10].copy_from_slice(&digits[..8]);
        text[10] = b'-';
        text[11..].copy_from_slice(&digits[8..]);
        Ascii::new(text)
    }

    /// The 128 bits as a number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0.get()
    }

    /// Big-endian bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }

    /// The high 32 bits: seconds since the Unix epoch, if the id is X-Ray shaped.
    ///
    /// ```
    /// use obs_core::id::TraceId;
    ///
    /// let id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").expect("it is X-Ray's");
    /// assert_eq!(id.epoch_seconds(), 0x5759_e988);
    /// assert_eq!(id.to_xray().as_str(), "1-5759e988-bd862e3fe1be46a994272793");
    /// assert_eq!(TraceId::new(id.get()), Some(id));
    /// assert_eq!(id.to_bytes()[0], 0x57);
    /// ```
    #[must_use]
    pub const fn epoch_seconds(self) -> u32 {
        (self.0.get() >> 96) as u32
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_hex())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_spellings_round_trip_for_every_id(value in 1_u128..) {
            let id = TraceId::new(value).unwrap();
            prop_assert_eq!(TraceId::from_hex(&id.to_hex()), Some(id));
            prop_assert_eq!(TraceId::from_xray(&id.to_xray()), Some(id));
            prop_assert_eq!(TraceId::from_xray(&id.to_xray().to_uppercase()), Some(id));
            prop_assert_eq!(id.to_string(), format!("{value:032x}"));
        }

        #[test]
        fn whatever_is_accepted_is_spelled_the_same_way(text in "\\PC{0,40}") {
            if let Some(id) = TraceId::from_hex(&text) {
                prop_assert_eq!(id.to_string(), text.clone());
            }
            if let Some(id) = TraceId::from_xray(&text) {
                prop_assert_eq!(id.to_xray().to_string(), text.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn other_versions_signs_lengths_and_zero_are_refused() {
        for text in [
            "9-58406520-a006649127e371903a2de979",
            "1-+8406520-a006649127e371903a2de979",
            "1-58406520-a006649127e371903a2de97",
            "1-58406520a006649127e371903a2de979-",
            "1-00000000-000000000000000000000000",
            "",
        ] {
            assert_eq!(TraceId::from_xray(text), None, "{text}");
        }
        assert_eq!(TraceId::from_hex("58406520A006649127e371903a2de979"), None, "upper case");
    }
}
