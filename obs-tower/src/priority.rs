//! How important a request is, as far as somebody trusted says so.
//!
//! ```
//! use obs_tower::priority::Priority;
//!
//! // What is shed first when there is too much.
//! assert!(Priority::Low < Priority::Normal);
//! ```

use http::{HeaderMap, Request};

/// The importance of a request; more important ones are admitted first and shed last.
///
/// It belongs to the route or to the authenticated caller: put it into the request's extensions
/// where that is known, and [`Priority::of`] finds it. A header may only lower it.
///
/// ```
/// use http::Request;
/// use obs_tower::priority::Priority;
///
/// let mut request = Request::new(());
/// assert_eq!(Priority::of(&request), Priority::Normal);
/// request.extensions_mut().insert(Priority::Low);
/// assert_eq!(Priority::of(&request).as_str(), "low");
/// assert!(Priority::Low < Priority::Critical);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Batch work that may come later.
    Low = 0,
    /// Everything that is not marked.
    #[default]
    Normal = 1,
    /// What users wait for.
    High = 2,
    /// What keeps the service alive or others whole, such as payment confirmations.
    Critical = 3,
}

impl Priority {
    /// Every priority, the least important first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The name used in labels and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The priority among the request's extensions, else [`Priority::Normal`].
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        request.extensions().get().copied().unwrap_or_default()
    }

    /// This priority, or the one that the header `name` asks for if that is lower.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue};
    /// use obs_tower::priority::Priority;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-priority", HeaderValue::from_static("critical"));
    /// assert_eq!(Priority::Normal.lowered_by(&headers, "x-priority"), Priority::Normal);
    /// headers.insert("x-priority", HeaderValue::from_static("low"));
    /// assert_eq!(Priority::Normal.lowered_by(&headers, "x-priority"), Priority::Low);
    /// ```
    #[must_use]
    pub fn lowered_by(self, headers: &HeaderMap, name: &str) -> Self {
        let asked = headers.get(name).and_then(|value| {
            Self::ALL.into_iter().find(|p| value.as_bytes() == p.as_str().as_bytes())
        });
        asked.map_or(self, |asked| asked.min(self))
    }
}
