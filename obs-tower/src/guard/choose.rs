use std::borrow::Cow;
use std::time::Duration;

use crate::bulkhead::{NoShares, Place, PlaceOf};
use crate::timeout::{DefaultLimit, LimitOf};

/// What a guard wants to know about a request. Implemented by [`Choices`].
pub trait Choose<Req> {
    /// Its place in the bulkhead.
    fn place_of<'a>(&self, request: &'a Req) -> Place<'a>;

    /// Its time limit; `None` for the default.
    fn limit_of(&self, request: &Req) -> Option<Duration>;

    /// The key of its breaker; asked for only if there is one breaker per key.
    fn key_of<'a>(&self, request: &'a Req) -> Cow<'a, str>;
}

/// What a guard was told to go by: functions of the request, or what stands for none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choices<P = NoShares, L = DefaultLimit, K = NoKey> {
    pub(super) place: P,
    pub(super) limit: L,
    pub(super) key: K,
}

/// Which breaker a request belongs to.
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
