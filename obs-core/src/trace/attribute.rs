use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A piece of text as a span carries it: static, shared or owned, so that the usual cases cost no
/// allocation.
///
/// ```
/// use obs_core::trace::Text;
///
/// let route: std::sync::Arc<str> = "/orders/{id}".into();
/// assert_eq!(Text::from(route), Text::from("/orders/{id}"));
/// ```
#[derive(Clone)]
pub enum Text {
    /// Text of the program.
    Static(&'static str),
    /// Text that several spans share, such as a route.
    Shared(Arc<str>),
    /// Text of this span alone.
    Owned(String),
}

impl Text {
    /// The text.
    ///
    /// ```
    /// use obs_core::trace::Text;
    ///
    /// assert_eq!(Text::from("GET /orders").as_str(), "GET /orders");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Static("")
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::Static(text)
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self::Shared(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<Cow<'static, str>> for Text {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Static(text),
            Cow::Owned(text) => Self::Owned(text),
        }
    }
}

/// The value of an attribute.
///
/// OpenTelemetry has no unsigned integers: a `u64` beyond `i64::MAX` becomes its decimal text.
///
/// ```
/// use obs_core::trace::AttributeValue;
///
/// assert_eq!(AttributeValue::from("web").as_str(), Some("web"));
/// assert_eq!(AttributeValue::from(3).as_i64(), Some(3));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; NaN and infinities are passed on over OTLP and left out of X-Ray documents.
    Float(f64),
    /// Text.
    Text(Text),
    /// Several texts.
    Texts(Vec<Text>),
}

impl AttributeValue {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$type> for AttributeValue {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}

from! {
    bool => Bool,
    i64 => Int, i32 => Int, u32 => Int, u16 => Int, u8 => Int,
    f64 => Float, f32 => Float,
    Text => Text, &'static str => Text, String => Text, Arc<str> => Text, Cow<'static, str> => Text,
    Vec<Text> => Texts,
}

impl From<u64> for AttributeValue {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Text(value.to_string().into()), Self::Int)
    }
}

impl From<usize> for AttributeValue {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

/// The attributes of a span, event or link: a bounded list in order of arrival.
///
/// A key that is set again keeps its place and takes the new value. What is beyond the bound is
/// counted, not kept.
///
/// ```
/// use obs_core::trace::Attributes;
///
/// let mut attributes = Attributes::with_capacity(2);
/// attributes.set("http.route", "/orders/{id}");
/// attributes.set("http.response.status_code", 200);
/// attributes.set("http.response.status_code", 404);
/// assert_eq!(attributes.len(), 2);
/// assert_eq!(attributes.get("http.response.status_code").and_then(|value| value.as_i64()), Some(404));
/// assert_eq!(attributes.iter().count(), 2);
/// assert!(Attributes::new().is_empty() && attributes.dropped() == 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    list: Vec<(Text, AttributeValue)>,
    dropped: u32,
}

impl Attributes {
    /// At most this many are kept, as
    /// [OpenTelemetry](https://opentelemetry.io/docs/specs/otel/common/#attribute-limits) has it.
    pub const MAX: usize = 128;

    /// No attributes; allocates at the first.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new(), dropped: 0 }
    }

    /// No attributes, with space for `capacity`.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { list: Vec::with_capacity(capacity.min(Self::MAX)), dropped: 0 }
    }

    /// Sets an attribute.
    pub fn set(&mut self, key: impl Into<Text>, value: impl Into<AttributeValue>) {
        let key = key.into();
        let value = value.into();
        match self.list.iter_mut().find(|(known, _)| *known == key) {
            Some(slot) => slot.1 = value,
            None => self.push(key, value),
        }
    }

    /// Adds an attribute whose key is known to be new; saves the search of [`Attributes::set`].
    ///
    /// ```
    /// use obs_core::trace::Attributes;
    ///
    /// // For a key that is not there yet, which nobody looks for.
    /// let mut attributes = Attributes::new();
    /// attributes.push("http.route", "/orders/{id}");
    /// assert_eq!(attributes.len(), 1);
    /// ```
    pub fn push(&mut self, key: impl Into<Text>, value: impl Into<AttributeValue>) {
        if self.list.len() < Self::MAX {
            self.list.push((key.into(), value.into()));
        } else {
            self.count_dropped();
        }
    }

    pub(super) fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&AttributeValue> {
        self.list.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    #[cfg(feature = "otel")]
    pub(super) fn take(&mut self, key: &str) -> Option<AttributeValue> {
        let at = self.list.iter().position(|(known, _)| known == key)?;
        Some(self.list.remove(at).1)
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Text, AttributeValue)> {
        self.list.iter()
    }

    /// All of them, to change values.
    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, (Text, AttributeValue)> {
        self.list.iter_mut()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many did not fit.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }
}

impl IntoIterator for Attributes {
    type Item = (Text, AttributeValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Attributes {
    type Item = &'a (Text, AttributeValue);
    type IntoIter = std::slice::Iter<'a, (Text, AttributeValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Into<Text>, V: Into<AttributeValue>> FromIterator<(K, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut attributes = Self::new();
        for (key, value) in pairs {
            attributes.set(key, value);
        }
        attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_twice_keeps_its_place_and_takes_the_new_value() {
        let attributes = Attributes::from_iter([("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(attributes.len(), 2);
        assert_eq!(attributes.get("a"), Some(&AttributeValue::Int(3)));
    }

    #[test]
    fn what_is_beyond_the_bound_is_counted() {
        let mut attributes = Attributes::new();
        for i in 0..130_u32 {
            attributes.set(i.to_string(), i);
        }
        assert_eq!((attributes.len(), attributes.dropped()), (128, 2));
    }

    #[test]
    fn an_unsigned_number_beyond_the_signed_range_becomes_its_decimal_text() {
        assert_eq!(AttributeValue::from(u64::MAX).as_str(), Some("18446744073709551615"));
        assert_eq!(AttributeValue::from(7_u64).as_i64(), Some(7));
    }
}
