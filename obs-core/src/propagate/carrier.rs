use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::mem;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::Found;
use super::found::Slot;

/// Fields that can be read: headers, message attributes, a JSON object.
///
/// Field names are compared without regard to case.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use obs_core::propagate::{Carrier, field};
///
/// let attributes = BTreeMap::from([("Traceparent".to_owned(), "00-…")]);
/// let values: Vec<_> = attributes.get_all(&field::TRACEPARENT).collect();
/// assert_eq!(values, ["00-…".as_bytes()]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no carrier of the fields of a trace",
    note = "`HeaderMap`, maps and lists of strings are; a message of SQS is read with `message::sqs::Message`"
)]
pub trait Carrier {
    /// Every value of `field`, in order, as it arrived.
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]>;

    /// The fields that propagation reads.
    ///
    /// Asks for one after the other. A carrier that can name all it holds at less cost than a few
    /// such questions does better to pass them to [`Found::add`].
    ///
    /// ```
    /// use http::HeaderMap;
    /// use obs_core::propagate::Carrier;
    ///
    /// let headers = HeaderMap::new();
    /// let _found = headers.find();
    /// ```
    fn find(&self) -> Found<'_> {
        let mut found = Found::nothing();
        for (slot, name) in Slot::ALL {
            self.get_all(name).take(2).for_each(|value| found.set(*slot, value));
        }
        found
    }
}

/// Fields that can be written.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use obs_core::propagate::{CarrierMut, field};
///
/// let mut attributes = BTreeMap::<String, String>::new();
/// attributes.set(&field::TRACEPARENT, b"00-...");
/// assert!(attributes.may_hold_fields());
/// CarrierMut::remove(&mut attributes, &field::TRACEPARENT);
/// assert!(attributes.is_empty());
/// ```
pub trait CarrierMut {
    /// Replaces every value of `field` with `value`, which is printable ASCII.
    fn set(&mut self, field: &HeaderName, value: &[u8]);

    /// Removes every value of `field`.
    fn remove(&mut self, field: &HeaderName);

    /// Whether the carrier may hold one of the standard fields that propagation writes.
    ///
    /// `true` unless the carrier knows better: then every field that is not told is removed. One
    /// that can tell by one look saves those questions for calls that are new, which most are.
    fn may_hold_fields(&self) -> bool {
        true
    }
}

impl Carrier for HeaderMap {
    #[inline]
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        HeaderMap::get_all(self, field).iter().map(HeaderValue::as_bytes)
    }

    #[inline]
    fn find(&self) -> Found<'_> {
        Found::in_headers(self)
    }
}

impl CarrierMut for HeaderMap {
    fn set(&mut self, field: &HeaderName, value: &[u8]) {
        if let Some(value) = header_value(value) {
            self.insert(field, value);
        }
    }

    fn remove(&mut self, field: &HeaderName) {
        HeaderMap::remove(self, field);
    }

    fn may_hold_fields(&self) -> bool {
        self.keys().any(|name| Found::reads(name.as_str().as_bytes()))
    }
}

/// Header values are cut from blocks of this size.
const BLOCK: usize = 4096;

thread_local! {
    static BLOCKS: RefCell<Blocks> = RefCell::new(Blocks::default());
}

/// The block that is being cut up, and the one before, whose pieces have had time to be dropped.
#[derive(Default)]
struct Blocks {
    current: BytesMut,
    previous: BytesMut,
}

impl Blocks {
    fn cut(&mut self, value: &[u8]) -> Bytes {
        if self.current.capacity() < value.len() {
            mem::swap(&mut self.current, &mut self.previous);
            // Takes the old memory again if nobody holds a piece of it any more.
            self.current.reserve(BLOCK.max(value.len()));
        }
        self.current.extend_from_slice(value);
        self.current.split().freeze()
    }
}

/// A header value with these bytes; `None` if they are not allowed in a header.
///
/// Values are cut from blocks of 4 KiB per thread, which are used again once the requests that
/// hold pieces of them have ended: in a steady state this does not allocate.
///
/// ```
/// use obs_core::propagate::header_value;
///
/// assert_eq!(header_value(b"Root=1-...").expect("printable ASCII"), "Root=1-...");
/// assert!(header_value(b"two\nlines").is_none());
/// ```
#[must_use]
pub fn header_value(value: &[u8]) -> Option<HeaderValue> {
    let bytes = BLOCKS
        .try_with(|blocks| blocks.borrow_mut().cut(value))
        .unwrap_or_else(|_| Bytes::copy_from_slice(value));
    HeaderValue::from_maybe_shared(bytes).ok()
}

fn matching<'a, K: AsRef<str> + 'a, V: AsRef<str> + 'a>(
    entries: impl Iterator<Item = (&'a K, &'a V)>,
    field: &'a HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    entries
        .filter(|(name, _)| name.as_ref().eq_ignore_ascii_case(field.as_str()))
        .map(|(_, value)| value.as_ref().as_bytes())
}

/// The text of a value that the writers made, which is ASCII.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

impl<V: AsRef<str>, S: BuildHasher> Carrier for HashMap<String, V, S> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        matching(self.iter(), field)
    }
}

impl<V: From<String>, S: BuildHasher> CarrierMut for HashMap<String, V, S> {
    fn set(&mut self, field: &HeaderName, value: &[u8]) {
        CarrierMut::remove(self, field);
        self.insert(field.as_str().to_owned(), text(value).into());
    }

    fn remove(&mut self, field: &HeaderName) {
        self.retain(|name, _| !name.eq_ignore_ascii_case(field.as_str()));
    }
}

impl<V: AsRef<str>> Carrier for BTreeMap<String, V> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        matching(self.iter(), field)
    }
}

impl<V: From<String>> CarrierMut for BTreeMap<String, V> {
    fn set(&mut self, field: &HeaderName, value: &[u8]) {
        CarrierMut::remove(self, field);
        self.insert(field.as_str().to_owned(), text(value).into());
    }

    fn remove(&mut self, field: &HeaderName) {
        self.retain(|name, _| !name.eq_ignore_ascii_case(field.as_str()));
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Carrier for [(K, V)] {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        matching(self.iter().map(|(name, value)| (name, value)), field)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Carrier for Vec<(K, V)> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        matching(self.iter().map(|(name, value)| (name, value)), field)
    }
}

impl<K: AsRef<str> + From<String>, V: From<String>> CarrierMut for Vec<(K, V)> {
    fn set(&mut self, field: &HeaderName, value: &[u8]) {
        CarrierMut::remove(self, field);
        self.push((field.as_str().to_owned().into(), text(value).into()));
    }

    fn remove(&mut self, field: &HeaderName) {
        self.retain(|(name, _)| !name.as_ref().eq_ignore_ascii_case(field.as_str()));
    }
}

/// A JSON object; members that are not strings do not count.
impl Carrier for Map<String, Value> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(field.as_str()))
            .filter_map(|(_, value)| value.as_str())
            .map(str::as_bytes)
    }
}

impl CarrierMut for Map<String, Value> {
    fn set(&mut self, field: &HeaderName, value: &[u8]) {
        CarrierMut::remove(self, field);
        self.insert(field.as_str().to_owned(), Value::String(text(value)));
    }

    fn remove(&mut self, field: &HeaderName) {
        self.retain(|name, _| !name.eq_ignore_ascii_case(field.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::field;
    use super::*;

    fn sets_and_removes_whatever_the_case<C: Carrier + CarrierMut>(mut carrier: C) {
        carrier.set(&field::TRACEPARENT, b"new");
        let values: Vec<&[u8]> = carrier.get_all(&field::TRACEPARENT).collect();
        assert_eq!(values, [b"new"]);
        carrier.remove(&field::TRACEPARENT);
        assert_eq!(carrier.get_all(&field::TRACEPARENT).count(), 0);
    }

    #[test]
    fn every_carrier_replaces_all_values_of_a_field() {
        let old = [("Traceparent", "a"), ("TRACEPARENT", "b")].map(|(k, v)| (k.to_owned(), v));
        let strings = old.clone().map(|(k, v)| (k, v.to_owned()));
        sets_and_removes_whatever_the_case(HashMap::<String, String>::from(strings.clone()));
        sets_and_removes_whatever_the_case(BTreeMap::<String, String>::from(strings.clone()));
        sets_and_removes_whatever_the_case(Vec::from(strings));
        sets_and_removes_whatever_the_case(
            old.into_iter().map(|(k, v)| (k, Value::from(v))).collect::<Map<_, _>>(),
        );
        let mut headers = HeaderMap::new();
        headers.append(&field::TRACEPARENT, HeaderValue::from_static("a"));
        headers.append(&field::TRACEPARENT, HeaderValue::from_static("b"));
        sets_and_removes_whatever_the_case(headers);
    }

    #[test]
    fn headers_know_whether_a_field_may_be_there() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::HOST, HeaderValue::from_static("inventory"));
        assert!(!headers.may_hold_fields());
        for (_, name) in Slot::ALL {
            headers.insert(*name, HeaderValue::from_static("1"));
            assert!(headers.may_hold_fields(), "{name}");
            CarrierMut::remove(&mut headers, name);
        }
    }

    #[test]
    fn a_header_value_never_holds_a_line_break() {
        assert_eq!(header_value(b"a\r\nb: c"), None);
        assert_eq!(header_value(b"after a refusal the block still serves").unwrap().len(), 38);
    }

    #[test]
    fn values_that_are_kept_are_never_overwritten() {
        let values: Vec<_> = (0..5_000_u32)
            .filter_map(|n| Some((n, header_value(format!("value {n}").as_bytes())?)))
            .collect();
        assert!(values.iter().all(|(n, value)| *value == format!("value {n}")));
        assert_eq!(header_value(&[b'x'; 3 * BLOCK]).unwrap().len(), 3 * BLOCK);
    }
}
