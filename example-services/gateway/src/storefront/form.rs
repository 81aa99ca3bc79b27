use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use shop_kit::extract::Body;

use super::trouble::Trouble;

/// What a form of ours was filled in with.
///
/// A form on a page of somebody else's is refused with 403: a browser sends our cookie with it.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Trouble;

    async fn from_request(request: Request, state: &S) -> Result<Self, Trouble> {
        if !is_ours(request.headers()) {
            return Err(Trouble::new(
                StatusCode::FORBIDDEN,
                "The form was on a page of another site.",
            ));
        }
        let Body(body) = Body::from_request(request, state).await?;
        let filled_in = serde_urlencoded::from_bytes(&body).map_err(|_| {
            Trouble::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The form was not filled in as it must be.",
            )
        })?;
        Ok(Self(filled_in))
    }
}

/// Whether a request comes from a page of ours, or from no page at all.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    // Browsers that do not tell the site tell at least the origin.
    let Some(origin) = text(header::ORIGIN) else { return true };
    let origin = origin.parse::<Uri>().ok();
    let authority = origin.as_ref().and_then(Uri::authority).map(|authority| authority.as_str());
    authority.is_some() && authority == text(header::HOST)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;

    use super::*;

    #[test]
    fn forms_of_other_sites_are_told_apart() {
        for (headers, ours) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://shop:8080"), ("host", "shop:8080")], true),
            (&[("origin", "http://other"), ("host", "shop:8080")], false),
            (&[("origin", "null"), ("host", "shop:8080")], false),
        ] {
            let map = headers.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            assert_eq!(is_ours(&map.collect()), ours, "{headers:?}");
        }
    }
}
