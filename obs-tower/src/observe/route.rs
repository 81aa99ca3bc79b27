//! The route template: the only form in which a path reaches a metric or a span name.

use std::fmt;
use std::sync::Arc;

use http::Extensions;

/// The template of a path, such as `/orders/{id}`; cheap to clone.
///
/// It becomes a metric dimension and part of the span's name, so it must come from a bounded set:
/// never build one from the path of a request.
///
/// ```
/// use obs_tower::observe::Route;
///
/// assert_eq!(Route::from("/orders/{id}").as_str(), "/orders/{id}");
/// ```
#[derive(Clone)]
pub struct Route(Template);

#[derive(Clone)]
enum Template {
    Static(&'static str),
    Shared(Arc<str>),
    #[cfg(feature = "axum")]
    Matched(axum::extract::MatchedPath),
}

impl Route {
    /// The template's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Template::Static(text) => text,
            Template::Shared(text) => text,
            #[cfg(feature = "axum")]
            Template::Matched(path) => path.as_str(),
        }
    }

    /// The route that axum matched, if the layer stands behind its router; does not allocate.
    #[cfg(feature = "axum")]
    pub(crate) fn matched(extensions: &Extensions) -> Option<Self> {
        extensions
            .get::<Self>()
            .cloned()
            .or_else(|| extensions.get().cloned().map(|path| Self(Template::Matched(path))))
    }

    /// The route that a router outside has left in the request's extensions.
    #[cfg(not(feature = "axum"))]
    pub(crate) fn matched(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }
}

impl From<&'static str> for Route {
    fn from(template: &'static str) -> Self {
        Self(Template::Static(template))
    }
}

impl From<Arc<str>> for Route {
    fn from(template: Arc<str>) -> Self {
        Self(Template::Shared(template))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_in_the_extensions_is_found() {
        let mut extensions = Extensions::new();
        assert!(Route::matched(&extensions).is_none());
        extensions.insert(Route::from("/orders/{id}"));
        assert_eq!(Route::matched(&extensions).unwrap().as_str(), "/orders/{id}");
    }
}
