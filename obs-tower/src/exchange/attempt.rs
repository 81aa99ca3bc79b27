/// The number of an attempt: 1 for the first, 2 for the first retry.
///
/// A retrying layer puts it into the extensions of the request of each attempt; the client layer
/// within sends it along and writes it into the span.
///
/// ```
/// use obs_tower::client::Attempt;
///
/// let mut request = http::Request::get("http://inventory/").body(()).unwrap();
/// request.extensions_mut().insert(Attempt(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);
