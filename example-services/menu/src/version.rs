use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use shop_domain::menu::MenuItem;
use shop_kit::failure::Failure;

/// The version that a writer has read, from `If-Match`.
///
/// Without it a write is refused with 428, so that nobody overwrites what he has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IfMatch(pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            let detail = "a change names the version it was made from: If-Match: \"1\"";
            return Err(Failure::status(StatusCode::PRECONDITION_REQUIRED, detail));
        };
        let quoted = value.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
        quoted.and_then(|version| version.parse().ok()).map(Self).ok_or_else(changed)
    }
}

/// 412: the item is not what the writer read.
pub(crate) fn changed() -> Failure {
    Failure::status(StatusCode::PRECONDITION_FAILED, "the item has another version by now")
}

/// The version of `item` as an entity tag.
pub(crate) fn etag(item: &MenuItem) -> HeaderValue {
    HeaderValue::try_from(format!("\"{}\"", item.version))
        .unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}
