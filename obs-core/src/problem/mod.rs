//! Problem details for HTTP, [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
//!
//! ```
//! use http::StatusCode;
//! use obs_core::problem::Problem;
//!
//! let problem = Problem::new(StatusCode::NOT_FOUND).detail("there is no order 7");
//! let document: serde_json::Value = serde_json::from_slice(&problem.to_json())?;
//! assert_eq!((&document["status"], &document["detail"]), (&404.into(), &"there is no order 7".into()));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod prepared;

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

pub use prepared::PreparedProblem;

/// The media type of a problem body.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// A machine-readable error body.
///
/// It renders `type`, `title`, `status`, then `detail` and any extension members. It carries no
/// internals: what goes in is what the caller may know.
///
/// ```
/// use http::StatusCode;
/// use obs_core::problem::Problem;
///
/// let problem = Problem::new(StatusCode::CONFLICT)
///     .detail("prod-001 has 2 left")
///     .with("correlation_id", "req-7");
/// let body = serde_json::from_slice::<serde_json::Value>(&problem.to_json()).unwrap();
/// assert_eq!(body["status"], 409);
/// assert_eq!(body["title"], "Conflict");
/// assert_eq!(body["correlation_id"], "req-7");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    status: StatusCode,
    kind: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    members: Vec<(Cow<'static, str>, serde_json::Value)>,
}

impl Problem {
    /// A problem of type `about:blank`, whose title is the status phrase.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            kind: Cow::Borrowed("about:blank"),
            title: Cow::Borrowed(status.canonical_reason().unwrap_or("Error")),
            detail: None,
            members: Vec::new(),
        }
    }

    /// Sets the URI reference that names the kind of problem.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Sets the summary, which does not change between occurrences.
    #[must_use]
    pub fn title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = title.into();
        self
    }

    /// Explains this occurrence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds an extension member; one with the name of a standard member is left out.
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<serde_json::Value>,
    ) -> Self {
        let name = name.into();
        if !matches!(&*name, "type" | "title" | "status" | "detail") {
            self.members.retain(|(existing, _)| *existing != name);
            self.members.push((name, value.into()));
        }
        self
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The body as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut json = format!(
            "{{\"type\":{},\"title\":{},\"status\":{}",
            text(&self.kind),
            text(&self.title),
            self.status.as_u16()
        );
        if let Some(detail) = &self.detail {
            json.push_str(",\"detail\":");
            json.push_str(&text(detail));
        }
        for (name, value) in &self.members {
            json.push(',');
            json.push_str(&text(name));
            json.push(':');
            json.push_str(&value.to_string());
        }
        json.push('}');
        json.into_bytes()
    }

    /// The response with this status, body and content type, and `Cache-Control: no-store`.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Response, StatusCode};
    /// use obs_core::problem::Problem;
    ///
    /// let problem = Problem::new(StatusCode::CONFLICT)
    ///     .kind("https://shop.example/problems/sold-out")
    ///     .title("Sold out");
    /// assert_eq!(problem.status(), 409);
    /// let response: Response<Bytes> = problem.into_response();
    /// assert_eq!(response.headers()["content-type"], "application/problem+json");
    /// ```
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::from(self.to_json())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_inside_its_string() {
        let problem =
            Problem::new(StatusCode::BAD_REQUEST).detail("\"},\u{0}{\n").with("title", "spoofed");
        let body: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(body["detail"], "\"},\u{0}{\n");
        assert_eq!(body["title"], "Bad Request");
    }

    #[test]
    fn a_member_set_twice_stands_once_with_the_last_value() {
        let json = Problem::new(StatusCode::OK).with("a", 1).with("a", 2).to_json();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"type":"about:blank","title":"OK","status":200,"a":2}"#
        );
    }
}
