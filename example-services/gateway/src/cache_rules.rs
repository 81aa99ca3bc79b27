//! How long answers may be kept by browsers and by a content network before the gateway.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// What is on offer: the same for everybody, and a minute old at most.
const CATALOGUE: &str = "public, max-age=60";

/// Styles, scripts and pictures of the storefront.
const ASSET: &str = "public, max-age=86400";

/// Pages: may be kept, but are asked for again each time.
const PAGE: &str = "no-cache";

/// What belongs to one customer, what was refused, and what is not known to be harmless.
const PRIVATE: &str = "no-store";

/// Sets `Cache-Control` by what is answered, unless the service behind has set it.
pub(crate) async fn set(request: Request, next: Next) -> Response {
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_catalogue = is_catalogue(request.uri().path());
    let mut response = next.run(request).await;
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        let rule = if readable && response.status() == StatusCode::OK {
            rule(content_type(response.headers()), is_catalogue)
        } else {
            PRIVATE
        };
        let rule = HeaderValue::from_static(rule);
        response.headers_mut().insert(header::CACHE_CONTROL, rule);
    }
    response
}

fn is_catalogue(path: &str) -> bool {
    let path = path.strip_prefix("/api").unwrap_or(path);
    ["/products", "/menu/items"].iter().any(|prefix| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The content type without its parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim()
}

fn rule(content_type: &str, is_catalogue: bool) -> &'static str {
    match content_type {
        "application/json" if is_catalogue => CATALOGUE,
        "text/html" | "text/plain" => PAGE,
        "text/css" | "text/javascript" => ASSET,
        image if image.starts_with("image/") => ASSET,
        _ => PRIVATE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_content_type_has_its_rule() {
        for (kind, is_catalogue, expected) in [
            ("application/json", true, CATALOGUE),
            ("application/json", false, PRIVATE),
            ("text/html", false, PAGE),
            ("text/plain", false, PAGE),
            ("text/css", false, ASSET),
            ("text/javascript", false, ASSET),
            ("image/svg+xml", false, ASSET),
            ("application/health+json", true, PRIVATE),
            ("", true, PRIVATE),
        ] {
            assert_eq!(rule(kind, is_catalogue), expected, "{kind} {is_catalogue}");
        }
    }

    #[test]
    fn only_what_is_on_offer_is_the_catalogue() {
        for (path, is) in [
            ("/api/products", true),
            ("/products/prod-001", true),
            ("/api/menu/items/menu-001", true),
            ("/api/products-of-ada", false),
            ("/api/orders", false),
            ("/menu", false),
        ] {
            assert_eq!(is_catalogue(path), is, "{path}");
        }
    }
}
