use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::{CONTENT_TYPE, Problem};

/// A [`Problem`] rendered once, for answers that are given often and must cost little: refusals.
///
/// ```
/// use bytes::Bytes;
/// use http::{Response, StatusCode};
/// use obs_core::problem::{PreparedProblem, Problem};
///
/// let full = PreparedProblem::new(&Problem::new(StatusCode::SERVICE_UNAVAILABLE));
/// let response: Response<Bytes> = full.response(Some("req-7"));
/// assert_eq!(
///     response.body(),
///     r#"{"type":"about:blank","title":"Service Unavailable","status":503,"correlation_id":"req-7"}"#
/// );
/// ```
#[derive(Clone, Debug)]
pub struct PreparedProblem {
    status: StatusCode,
    body: Bytes,
}

/// Headers of a refusal, at most, so that they are allocated at once.
const HEADERS: usize = 10;

impl PreparedProblem {
    /// Renders `problem`.
    #[must_use]
    pub fn new(problem: &Problem) -> Self {
        Self { status: problem.status(), body: problem.to_json().into() }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The body, with the correlation id as its last member if there is one. Without one it is
    /// shared and costs a reference count.
    ///
    /// ```
    /// use http::StatusCode;
    /// use obs_core::problem::{PreparedProblem, Problem};
    ///
    /// let full = PreparedProblem::new(&Problem::new(StatusCode::SERVICE_UNAVAILABLE));
    /// assert_eq!(full.status(), 503);
    /// assert!(!full.body(None).starts_with(b" "));
    /// ```
    #[must_use]
    pub fn body(&self, correlation_id: Option<&str>) -> Bytes {
        const MEMBER: &[u8] = b",\"correlation_id\":";
        let Some(id) = correlation_id else { return self.body.clone() };
        let open = self.body.strip_suffix(b"}").unwrap_or(&self.body);
        // Two quotation marks and the brace; an id that must be escaped makes it grow.
        let mut json = Vec::with_capacity(open.len() + MEMBER.len() + id.len() + 3);
        json.extend_from_slice(open);
        json.extend_from_slice(MEMBER);
        // Writing a string into memory does not fail.
        let _ = serde_json::to_writer(&mut json, id);
        json.push(b'}');
        json.into()
    }

    /// The response with this status, body and content type, and `Cache-Control: no-store`, with
    /// room for more headers.
    #[must_use]
    pub fn response<B: From<Bytes>>(&self, correlation_id: Option<&str>) -> Response<B> {
        let mut response = Response::new(B::from(self.body(correlation_id)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_problem_answers_as_the_problem_itself_does() {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS).detail("slow down");
        let prepared = PreparedProblem::new(&problem);
        for id in ["req-7", "\"},\u{0}{\n"] {
            let long: Response<Bytes> = problem.clone().with("correlation_id", id).into_response();
            let short: Response<Bytes> = prepared.response(Some(id));
            assert_eq!(short.body(), long.body());
            assert_eq!(short.status(), long.status());
            assert_eq!(short.headers(), long.headers());
        }
        let (long, short): (Response<Bytes>, Response<Bytes>) =
            (problem.into_response(), prepared.response(None));
        assert_eq!(short.body(), long.body());
    }
}
