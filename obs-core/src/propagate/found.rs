use http::{HeaderMap, HeaderName};

use super::field;

/// The values of the fields that propagation reads, found by one look at the carrier instead of
/// one for each field.
///
/// Of a field with several values it holds the first and that there are more.
///
/// ```
/// use http::HeaderName;
/// use obs_core::propagate::{Carrier, Found};
///
/// /// Fields that came as one flat list.
/// struct Pairs(Vec<(String, String)>);
///
/// impl Carrier for Pairs {
///     fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
///         let named = self.0.iter().filter(move |(name, _)| name.as_str() == field.as_str());
///         named.map(|(_, value)| value.as_bytes())
///     }
///
///     fn find(&self) -> Found<'_> {
///         let mut found = Found::nothing();
///         for (name, value) in &self.0 {
///             found.add(name.as_bytes(), value.as_bytes());
///         }
///         found
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Found<'a> {
    first: [Option<&'a [u8]>; Slot::ALL.len()],
    /// One bit for each field with further values.
    repeated: u16,
}

macro_rules! slots {
    ($($slot:ident $field:ident $name:literal;)*) => {
        /// A place for one of the fields.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Slot { $($slot),* }

        impl Slot {
            pub(super) const ALL: &[(Self, &HeaderName)] = &[$((Self::$slot, &field::$field)),*];

            /// The place of the field with this name, in lower case.
            #[inline]
            pub(super) fn named(name: &[u8]) -> Option<Self> {
                match name {
                    $($name => Some(Self::$slot),)*
                    _ => None,
                }
            }
        }
    };
}

slots! {
    Traceparent TRACEPARENT b"traceparent";
    Tracestate TRACESTATE b"tracestate";
    Xray X_AMZN_TRACE_ID b"x-amzn-trace-id";
    Baggage BAGGAGE b"baggage";
    CorrelationId X_CORRELATION_ID b"x-correlation-id";
    RequestId X_REQUEST_ID b"x-request-id";
    TenantId X_TENANT_ID b"x-tenant-id";
    UserId X_USER_ID b"x-user-id";
    RequestTimeout X_REQUEST_TIMEOUT b"x-request-timeout";
    GrpcTimeout GRPC_TIMEOUT b"grpc-timeout";
    RequestAttempt X_REQUEST_ATTEMPT b"x-request-attempt";
    Debug X_OBS_DEBUG b"x-obs-debug";
}

impl<'a> Found<'a> {
    /// Nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { first: [None; Slot::ALL.len()], repeated: 0 }
    }

    /// Takes note of a value of the field `name`, written in lower case; the values of one field
    /// come in their order. Fields that propagation does not read are passed over.
    #[inline]
    pub fn add(&mut self, name: &[u8], value: &'a [u8]) {
        if let Some(slot) = Self::slot(name) {
            self.set(slot, value);
        }
    }

    /// Whether propagation reads the field `name`, written in lower case.
    #[inline]
    pub(super) fn reads(name: &[u8]) -> bool {
        Self::slot(name).is_some()
    }

    #[inline]
    fn slot(name: &[u8]) -> Option<Slot> {
        // Few of the headers that browsers send begin like one of ours.
        if let [b't' | b'x' | b'b' | b'g', ..] = name { Slot::named(name) } else { None }
    }

    #[inline]
    pub(super) fn set(&mut self, slot: Slot, value: &'a [u8]) {
        match &mut self.first[slot as usize] {
            first @ None => *first = Some(value),
            Some(_) => self.repeated |= 1 << slot as u16,
        }
    }

    /// Takes note of every value in `headers`.
    #[inline]
    pub(super) fn in_headers(headers: &'a HeaderMap) -> Self {
        let mut found = Self::nothing();
        for (name, value) in headers {
            found.add(name.as_str().as_bytes(), value.as_bytes());
        }
        found
    }

    /// The first value.
    #[inline]
    pub(super) const fn first(&self, slot: Slot) -> Option<&'a [u8]> {
        self.first[slot as usize]
    }

    #[inline]
    pub(super) const fn is_repeated(&self, slot: Slot) -> bool {
        self.repeated >> slot as u16 & 1 == 1
    }

    /// The only value; `None` if there is none or there are several.
    #[inline]
    pub(super) fn single(&self, slot: Slot) -> Option<&'a [u8]> {
        self.first(slot).filter(|_| !self.is_repeated(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_its_place() {
        for (slot, name) in Slot::ALL {
            assert_eq!(Slot::named(name.as_str().as_bytes()), Some(*slot));
            let mut found = Found::nothing();
            found.add(name.as_str().as_bytes(), b"1");
            assert_eq!(found.single(*slot), Some(&b"1"[..]));
            found.add(name.as_str().as_bytes(), b"2");
            assert_eq!((found.single(*slot), found.first(*slot)), (None, Some(&b"1"[..])));
        }
    }

    #[test]
    fn other_fields_are_passed_over() {
        let mut found = Found::nothing();
        for name in ["host", "te", "x-forwarded-for", "x-amzn-trace-i", "", "traceparent2"] {
            found.add(name.as_bytes(), b"1");
        }
        assert!(Slot::ALL.iter().all(|(slot, _)| found.first(*slot).is_none()));
    }
}
