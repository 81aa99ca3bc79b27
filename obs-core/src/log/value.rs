use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A value of a field, for lines and spans.
///
/// Numbers stay numbers: integers are written in full, also above 2^53, where readers that use
/// double precision lose digits. NaN and infinities, which JSON cannot express, become `null`.
///
/// ```
/// use obs_core::log::Value;
///
/// assert_eq!(Value::from(3_u8), Value::U64(3));
/// assert_eq!(Value::from(Some("gold")), Value::from("gold"));
/// assert_eq!(Value::from(None::<&str>), Value::Null);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
#[non_exhaustive]
pub enum Value {
    /// Nothing; `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A floating-point number.
    F64(f64),
    /// Text known at compile time; costs no allocation.
    Static(&'static str),
    /// Shared text.
    Text(Arc<str>),
}

impl Value {
    /// The text that `value` displays.
    #[must_use]
    pub fn display(value: impl std::fmt::Display) -> Self {
        Self::Text(value.to_string().into())
    }

    /// The text that `value` shows in debug output.
    #[must_use]
    pub fn debug(value: impl std::fmt::Debug) -> Self {
        Self::Text(format!("{value:?}").into())
    }

    /// The text, if it is one.
    ///
    /// ```
    /// use obs_core::log::Value;
    ///
    /// assert_eq!(Value::display(7).as_str(), Some("7"));
    /// assert_eq!(Value::debug("seven").as_str(), Some("\"seven\""));
    /// assert_eq!(Value::from(7_u64).as_str(), None);
    /// ```
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Static(text) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

macro_rules! from_integers {
    ($variant:ident as $wide:ty: $($type:ty),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value as $wide)
            }
        }
    )*};
}

from_integers!(I64 as i64: i8, i16, i32, i64, isize);
from_integers!(U64 as u64: u8, u16, u32, u64, usize);
from_integers!(F64 as f64: f32, f64);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Self {
        Self::Static(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Text(value)
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(value: Cow<'static, str>) -> Self {
        match value {
            Cow::Borrowed(text) => Self::Static(text),
            Cow::Owned(text) => Self::Text(text.into()),
        }
    }
}

/// Milliseconds.
impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::F64(value.as_secs_f64() * 1_000.0)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
