use std::borrow::Cow;
use std::time::Duration;

use crate::bulkhead::{NoShares, Place, PlaceOf};
use crate::timeout::{DefaultLimit, LimitOf};

/// What a guard wants to know about a request. Implemented by [`Choices`].
///
/// ```
/// use std::borrow::Cow;
/// use std::time::Duration;
///
/// use http::Request;
/// use obs_tower::bulkhead::{Place, Share};
/// use obs_tower::guard::Choose;
///
/// /// By path, and twice as long for reports.
/// struct ByPath;
///
/// impl<B> Choose<Request<B>> for ByPath {
///     fn place_of<'a>(&self, request: &'a Request<B>) -> Place<'a> {
///         Place::default().share(Share::of(request.uri().path()))
///     }
///
///     fn limit_of(&self, request: &Request<B>) -> Option<Duration> {
///         (request.uri().path() == "/reports").then_some(Duration::from_secs(10))
///     }
///
///     fn key_of<'a>(&self, request: &'a Request<B>) -> Cow<'a, str> {
///         request.uri().path().into()
///     }
/// }
/// let request = Request::get("/reports").body(()).unwrap();
/// assert_eq!(ByPath.key_of(&request), "/reports");
/// assert_eq!(ByPath.limit_of(&request), Some(Duration::from_secs(10)));
/// let _place = ByPath.place_of(&request);
/// ```
pub trait Choose<Req> {
    /// Its place in the bulkhead.
    fn place_of<'a>(&self, request: &'a Req) -> Place<'a>;

    /// Its time limit; `None` for the default.
    fn limit_of(&self, request: &Req) -> Option<Duration>;

    /// The key of its breaker; asked for only if there is one breaker per key.
    fn key_of<'a>(&self, request: &'a Req) -> Cow<'a, str>;
}

/// What a guard was told to go by: functions of the request, or what stands for none.
///
/// ```
/// use std::time::Duration;
///
/// use http::Request;
/// use obs_tower::guard::{Choices, Choose};
///
/// let choices: Choices = Choices::default();
/// assert_eq!(choices.limit_of(&Request::new(())), None::<Duration>);
/// assert_eq!(choices.key_of(&Request::new(())), "");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Choices<P = NoShares, L = DefaultLimit, K = NoKey> {
    pub(super) place: P,
    pub(super) limit: L,
    pub(super) key: K,
}

/// Which breaker a request belongs to.
///
/// ```
/// use std::borrow::Cow;
///
/// use http::Request;
/// use obs_tower::guard::KeyOf;
///
/// fn host(request: &Request<()>) -> Cow<'_, str> {
///     request.uri().host().unwrap_or_default().into()
/// }
/// let request = Request::get("http://inventory/stock").body(()).unwrap();
/// assert_eq!(host.key_of(&request), "inventory");
/// ```
pub trait KeyOf<Req> {
    /// The key of `request`.
    fn key_of<'a>(&self, request: &'a Req) -> Cow<'a, str>;
}

impl<F, Req> KeyOf<Req> for F
where
    F: Fn(&Req) -> Cow<'_, str>,
{
    fn key_of<'a>(&self, request: &'a Req) -> Cow<'a, str> {
        self(request)
    }
}

/// All requests belong together.
///
/// ```
/// use http::Request;
/// use obs_tower::guard::{KeyOf, NoKey};
///
/// assert_eq!(NoKey.key_of(&Request::new(())), "");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKey;

impl<Req> KeyOf<Req> for NoKey {
    fn key_of<'a>(&self, _: &'a Req) -> Cow<'a, str> {
        Cow::Borrowed("")
    }
}

impl<Req, P, L, K> Choose<Req> for Choices<P, L, K>
where
    P: PlaceOf<Req>,
    L: LimitOf<Req>,
    K: KeyOf<Req>,
{
    #[inline]
    fn place_of<'a>(&self, request: &'a Req) -> Place<'a> {
        self.place.place_of(request)
    }

    #[inline]
    fn limit_of(&self, request: &Req) -> Option<Duration> {
        self.limit.limit_of(request)
    }

    fn key_of<'a>(&self, request: &'a Req) -> Cow<'a, str> {
        self.key.key_of(request)
    }
}
