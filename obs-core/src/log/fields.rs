use smallvec::SmallVec;

use super::key;
use super::{ValueRef, encode, with_buffer};

/// The most bytes the encoded fields of one span or request may take; text is cut to fit.
const MAX_BYTES: usize = 16 * 1024;

// Places are kept in 16 bits; a number may stand behind the last text.
const _: () = assert!(MAX_BYTES + 64 <= u16::MAX as usize);

/// Fields kept as the bytes a line will carry, each key once, in the order they were first set.
///
/// ```
/// use obs_core::log::{Fields, Value};
///
/// let mut fields = Fields::default();
/// fields.set("order_id", "o-17");
/// fields.set("items", &Value::from(3_u64));
/// fields.set("order_id", "o-18");
/// assert_eq!(fields.as_json(), br#","order_id":"o-18","items":3"#);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fields {
    // Inline as far as most spans and requests need: they are kept apart from the lines for which
    // they are encoded, in great numbers and not for long.
    bytes: SmallVec<[u8; 96]>,
    entries: Entries,
}

type Entries = SmallVec<[Entry; 6]>;

/// Where a field stands, with the comma before it, and how long its key is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: u16,
    end: u16,
    key_length: u8,
}

impl Fields {
    /// Sets a field; one of the same key is replaced in its place.
    ///
    /// When the fields together would take more than 16 KiB, text is cut, and a field for which
    /// there is no room is left out.
    pub fn set<'v>(&mut self, key: &str, value: impl Into<ValueRef<'v>>) {
        self.edit(|fields| fields.set(key, value.into()));
    }

    /// Sets every field of `other`.
    ///
    /// ```
    /// use obs_core::log::Fields;
    ///
    /// let (mut fields, mut others) = (Fields::default(), Fields::default());
    /// fields.set("items", 3_u64);
    /// others.set("items", 4_u64);
    /// fields.merge(&others);
    /// assert_eq!(fields.as_json(), br#","items":4"#);
    /// fields.clear();
    /// assert!(fields.is_empty());
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.edit(|fields| {
            for (field, key_length) in other.iter() {
                if fields.bytes.len() + field.len() <= MAX_BYTES {
                    let start = fields.bytes.len();
                    fields.bytes.extend_from_slice(field);
                    fields.keep(start, key_length);
                }
            }
        });
    }

    /// Sets what `record` sets with the function it is given.
    pub(crate) fn set_all(&mut self, record: impl FnOnce(&mut dyn FnMut(&str, ValueRef<'_>))) {
        self.edit(|fields| record(&mut |key, value| fields.set(key, value)));
    }

    /// Lets `change` work in the thread's buffer, where there is room.
    fn edit(&mut self, change: impl FnOnce(&mut Editor<'_>)) {
        with_buffer(|buffer| {
            buffer.extend_from_slice(&self.bytes);
            change(&mut Editor { bytes: buffer, entries: &mut self.entries });
            self.bytes = SmallVec::from_slice(buffer);
        });
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The fields as a line carries them, each with a comma before it.
    #[must_use]
    pub fn as_json(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the fields and keeps the room they took.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Each field, as the bytes it takes and the length of its key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let field = |entry: &Entry| (&self.bytes[entry.range()], usize::from(entry.key_length));
        self.entries.iter().map(field)
    }
}

impl Entry {
    fn range(self) -> std::ops::Range<usize> {
        self.start.into()..self.end.into()
    }

    fn key(self, bytes: &[u8]) -> &[u8] {
        let start = usize::from(self.start) + 2;
        &bytes[start..start + usize::from(self.key_length)]
    }
}

/// Fields while they are changed.
struct Editor<'a> {
    bytes: &'a mut Vec<u8>,
    entries: &'a mut Entries,
}

impl Editor<'_> {
    fn set(&mut self, key: &str, value: ValueRef<'_>) {
        let start = self.bytes.len();
        let key_length = key::write(self.bytes, key);
        // Room for any number and for the quotes of a text.
        let room = MAX_BYTES.saturating_sub(self.bytes.len());
        if room < 64 {
            self.bytes.truncate(start);
            return;
        }
        encode::value(self.bytes, value, room);
        self.keep(start, key_length);
    }

    /// Lists the field that was just appended, in the place of an older one of its key.
    fn keep(&mut self, start: usize, key_length: usize) {
        let entry = Entry {
            start: start as u16,
            end: self.bytes.len() as u16,
            key_length: key_length as u8,
        };
        let new_key = entry.key(self.bytes);
        let is_same = |other: &Entry| {
            other.key_length == entry.key_length && other.key(self.bytes) == new_key
        };
        match self.entries.iter().position(is_same) {
            Some(place) => self.replace(place, entry),
            None => self.entries.push(entry),
        }
    }

    /// Moves the field that was just appended to where its older value stands.
    fn replace(&mut self, place: usize, new: Entry) {
        let old = self.entries[place];
        let (old_range, new_range) = (old.range(), new.range());
        self.bytes[old_range.start..].rotate_right(new_range.len());
        let stale = old_range.start + new_range.len();
        self.bytes.drain(stale..stale + old_range.len());
        let grown = |at: u16| at + (new.end - new.start) - (old.end - old.start);
        self.entries[place].end = grown(old.end);
        for entry in &mut self.entries[place + 1..] {
            *entry = Entry { start: grown(entry.start), end: grown(entry.end), ..*entry };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::Value;

    #[test]
    fn a_full_set_leaves_further_fields_out_and_stays_whole() {
        let mut fields = Fields::default();
        fields.set("long", "x".repeat(MAX_BYTES * 2).as_str());
        fields.set("more", "y");
        assert!(fields.as_json().len() <= MAX_BYTES);
        assert!(fields.as_json().ends_with(b"x\""));
    }

    proptest! {
        #[test]
        fn setting_fields_is_like_setting_them_in_a_map(
            sets in prop::collection::vec(("[abc]{1,2}", ".{0,12}"), 0..30)
        ) {
            let mut fields = Fields::default();
            let mut map: Vec<(String, Value)> = Vec::new();
            for (key, text) in sets {
                fields.set(&key, text.as_str());
                match map.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, value)) => *value = text.into(),
                    None => map.push((key, text.into())),
                }
            }
            let mut expected = Vec::new();
            for (key, value) in &map {
                key::write(&mut expected, key);
                encode::value(&mut expected, value.into(), usize::MAX);
            }
            prop_assert_eq!(fields.as_json(), &expected[..]);
        }
    }
}
