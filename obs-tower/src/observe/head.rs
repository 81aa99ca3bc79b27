use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

/// What extractors see of a request: everything but its body.
///
/// ```
/// use obs_tower::observe::RequestHead;
///
/// let request = http::Request::get("/orders/7?verbose=1").body(()).unwrap();
/// assert_eq!(RequestHead::of(&request).uri.path(), "/orders/7");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The version of HTTP.
    pub version: Version,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// What outer layers left with the request.
    pub extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// The head of `request`.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}
