use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use obs_core::context::RequestContext;
use obs_core::id::IdGenerator;
use shop_domain::id::UserId;

/// The cookie by which a browser is known again.
const COOKIE: &str = "shop_customer";

/// How long a browser keeps it, in seconds: 30 days.
const MAX_AGE: u32 = 30 * 24 * 60 * 60;

/// Who a browser is, if it has been here before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Customer(pub(crate) Option<UserId>);

impl Customer {
    fn of(headers: &HeaderMap) -> Self {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).map(str::trim);
        let value = pairs.find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='));
        Self(value.and_then(|value| UserId::parse(value).ok()))
    }
}

/// A name for somebody new that nobody can guess.
pub(crate) fn stranger(ids: &IdGenerator) -> UserId {
    let name = format!("guest-{:016x}{:016x}", ids.random_u64(), ids.random_u64());
    UserId::parse(&name).expect("hexadecimal digits are letters and digits of an id")
}

/// The cookie that makes a browser known: for our pages alone, and not for scripts.
pub(crate) fn cookie(user: &UserId) -> HeaderValue {
    let text = format!("{COOKIE}={user}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax");
    HeaderValue::try_from(text).expect("the characters of an id may stand in a header")
}

impl<S: Send + Sync> FromRequestParts<S> for Customer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let customer = Self::of(&parts.headers);
        if let Some(user) = &customer.0 {
            RequestContext::with_current(|context| {
                context.set_user_id(user.as_str());
                context.annotate("user_id", user.to_string());
            });
        }
        Ok(customer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cookies: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookies))]);
        Customer::of(&headers).0.map(String::from)
    }

    #[test]
    fn a_browser_is_known_by_its_cookie_alone() {
        assert_eq!(of("a=b; shop_customer=ada; c=d").as_deref(), Some("ada"));
        for other in ["", "a=b", "shop_customer=", "shop_customer=a b", "not_shop_customer=ada"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_stranger_is_known_again() {
        let user = stranger(&IdGenerator::seeded(7));
        let cookie = cookie(&user);
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        let headers =
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(pair).unwrap())]);
        assert_eq!(Customer::of(&headers).0, Some(user));
        for guard in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.to_str().unwrap().contains(guard), "{guard}");
        }
    }
}
