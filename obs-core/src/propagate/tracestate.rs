use std::fmt;
use std::sync::Arc;

use super::scan;

/// What other tracing systems carry along a trace: the combined `tracestate` fields.
///
/// Kept as it arrived, in canonical spelling, and never mixed with any other field. Cloning is
/// cheap; an empty one costs nothing.
///
/// ```
/// use obs_core::propagate::TraceState;
///
/// let state = TraceState::parse([&b"congo=t61rcWkgMzE"[..], b" rojo=1 ,, "]).unwrap();
/// assert_eq!(state.as_str(), "congo=t61rcWkgMzE,rojo=1");
/// assert_eq!(state.get("rojo"), Some("1"));
/// assert_eq!(state.with("rojo", "2").unwrap().as_str(), "rojo=2,congo=t61rcWkgMzE");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TraceState(Option<Arc<str>>);

/// [Members](https://www.w3.org/TR/trace-context-2/#tracestate-header-field-values) allowed.
const MAX_MEMBERS: usize = 32;
/// The [length](https://www.w3.org/TR/trace-context-2/#tracestate-limits) that is always carried.
const MAX_LENGTH: usize = 512;
/// Members longer than this are the first to go.
const LONG_MEMBER: usize = 128;

impl TraceState {
    /// An empty one.
    #[must_use]
    pub const fn empty() -> Self {
        Self(None)
    }

    /// Reads the values of all `tracestate` fields, in order.
    ///
    /// `None` if any member breaks a rule or there are more than 32: then none of them counts.
    /// Allocates only what it returns.
    pub fn parse<'a, I>(values: I) -> Option<Self>
    where
        I: IntoIterator<Item = &'a [u8], IntoIter: Clone>,
    {
        let members = values.into_iter().flat_map(|value| value.split(|&byte| byte == b','));
        let members = members.map(scan::trim).filter(|member| !member.is_empty());
        let (mut count, mut length) = (0, 0);
        for member in members.clone() {
            let (key, value) = scan::split_once(member, b'=')?;
            count += 1;
            length += member.len() + 1;
            if count > MAX_MEMBERS || !is_key(key) || !is_value(value) {
                return None;
            }
        }
        Some(if length > MAX_LENGTH + 1 { Self::shortened(members) } else { Self::joined(members) })
    }

    /// All `members`, which are valid.
    fn joined<'a>(members: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all = String::new();
        for member in members {
            if !all.is_empty() {
                all.push(',');
            }
            all.push_str(scan::text(member));
        }
        Self((!all.is_empty()).then(|| all.into()))
    }

    /// As many of `members` as fit: long ones go first, then those at the right.
    fn shortened<'a>(members: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut kept: Vec<&[u8]> = members.collect();
        let length = |kept: &[&[u8]]| kept.iter().map(|member| member.len() + 1).sum::<usize>();
        while length(&kept) > MAX_LENGTH + 1 {
            let last_long = kept.iter().rposition(|member| member.len() > LONG_MEMBER);
            kept.remove(last_long.unwrap_or(kept.len() - 1));
        }
        Self::joined(kept.into_iter())
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

    /// Keys and values, in order.
    ///
    /// ```
    /// use obs_core::propagate::TraceState;
    ///
    /// let state = TraceState::empty().with("shop", "7").expect("it fits");
    /// assert_eq!(state.iter().collect::<Vec<_>>(), [("shop", "7")]);
    /// assert!(TraceState::empty().is_empty());
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.as_str().split(',').filter_map(|member| member.split_once('='))
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == key).map(|(_, value)| value)
    }

    /// With `key` set to `value` and moved to the left, where the latest change belongs.
    ///
    /// `None` if either breaks the grammar.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Option<Self> {
        let member = format!("{key}={value}");
        if !is_key(key.as_bytes()) || !is_value(value.as_bytes()) {
            return None;
        }
        let others = self.as_str().split(',').map(str::as_bytes);
        let others = others.filter(|other| {
            scan::split_once(other, b'=').is_some_and(|(name, _)| name != key.as_bytes())
        });
        let members = std::iter::once(member.as_bytes()).chain(others).take(MAX_MEMBERS);
        Some(Self::shortened(members))
    }
}

fn is_key(key: &[u8]) -> bool {
    let is_start = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= 256
        && key.first().is_some_and(|&first| is_start(first))
        && key.iter().all(|&byte| is_start(byte) || b"_-*/@".contains(&byte))
}

fn is_value(value: &[u8]) -> bool {
    value.len() <= 256
        && value.last().is_some_and(|&last| last != b' ')
        && value.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=')
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceState({:?})", self.as_str())
    }
}
