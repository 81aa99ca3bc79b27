use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

/// What a client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// A page, as browsers show it.
    Html,
    /// Text, as a terminal shows it.
    Text,
}

/// Programs that print what they get.
const PRINTING: [&str; 6] = ["curl/", "Wget/", "HTTPie/", "xh/", "httpie-go/", "libfetch/"];

impl Wants {
    /// What the client asked for with `Accept`; where that leaves both open, what it is.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter();
        let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
        let (html, text) = (quality(&accept, "text/html"), quality(&accept, "text/plain"));
        if html != text {
            return if html > text { Self::Html } else { Self::Text };
        }
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let prints = |agent: &str| PRINTING.iter().any(|program| agent.starts_with(program));
        if agent.is_some_and(prints) { Self::Text } else { Self::Html }
    }
}

/// How much a kind is wanted, in thousandths: the most specific range that covers it decides.
/// Without any range everything is wanted.
fn quality(accept: &[&str], kind: &str) -> u32 {
    let ranges = accept.iter().flat_map(|value| value.split(','));
    let mut best: Option<(u8, u32)> = None;
    let mut any = false;
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        any |= !name.is_empty();
        let specificity = match name {
            "*/*" => 0,
            "text/*" => 1,
            name if name.eq_ignore_ascii_case(kind) => 2,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
        if best.is_none_or(|(known, _)| specificity > known) {
            best = Some((specificity, quality));
        }
    }
    match best {
        Some((_, quality)) => quality,
        None if any => 0,
        None => 1_000,
    }
}

/// A weight such as `0.8`; what is none counts as 0.
fn thousandths(text: &str) -> u32 {
    let weight = text.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    weight.map_or(0, |weight: f32| (weight * 1_000.0) as u32)
}

impl<S: Send + Sync> FromRequestParts<S> for Wants {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const CHROMIUM: &str =
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

    #[test]
    fn browsers_get_pages_and_terminals_text() {
        for (accept, agent, wants) in [
            (CHROMIUM, "Mozilla/5.0", Wants::Html),
            ("*/*", "curl/8.1", Wants::Text),
            ("*/*", "Wget/1.21", Wants::Text),
            ("", "curl/8.1", Wants::Text),
            ("", "Mozilla/5.0", Wants::Html),
            ("*/*", "Mozilla/5.0", Wants::Html),
            // What is said counts more than who says it.
            ("text/html", "curl/8.1", Wants::Html),
            ("text/plain", "Mozilla/5.0", Wants::Text),
            ("text/html;q=0.5, text/plain;q=0.9", "Mozilla/5.0", Wants::Text),
            ("text/*;q=0.1, text/html", "curl/8.1", Wants::Html),
            ("text/html;q=banana, text/plain", "Mozilla/5.0", Wants::Text),
            ("application/json", "curl/8.1", Wants::Text),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
            assert_eq!(Wants::of(&headers), wants, "{accept} {agent}");
        }
    }
}
