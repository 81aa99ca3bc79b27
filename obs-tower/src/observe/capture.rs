//! The beginning of a body, for the line.

use std::sync::Arc;

use bytes::Buf;
use http::{HeaderMap, header};
use obs_core::config::ConfigError;

use crate::exchange::contained;

/// Most bytes of a body a line may carry.
const MAX_LIMIT: usize = 64 * 1024;

/// Which bodies are logged, and how much of them.
///
/// Logged is the beginning of the body as text, up to a number of bytes, if its content type is on
/// a list. Bodies may hold what must not be logged: give a redaction, and know what your clients
/// send, before this is switched on.
///
/// ```
/// use obs_tower::observe::BodyLogging;
///
/// let logging = BodyLogging::default()
///     .limit_bytes(256)
///     .redact(|text| text.replace("4111111111111111", "[card]"));
/// # let _ = logging;
/// ```
#[derive(Clone)]
pub struct BodyLogging {
    limit_bytes: usize,
    content_types: Vec<String>,
    redact: Option<Redact>,
}

type Redact = Arc<dyn Fn(&str) -> String + Send + Sync>;

impl Default for BodyLogging {
    fn default() -> Self {
        Self {
            limit_bytes: 1024,
            content_types: ["application/json", "application/problem+json", "text/plain"]
                .map(str::to_owned)
                .to_vec(),
            redact: None,
        }
    }
}

impl BodyLogging {
    /// Bytes of a body that are logged. Default 1024, at least 1, at most 65,536.
    #[must_use]
    pub fn limit_bytes(mut self, limit: usize) -> Self {
        self.limit_bytes = limit;
        self
    }

    /// The media types whose bodies are logged, without parameters; `text/*` stands for all of a
    /// kind. Default `application/json`, `application/problem+json` and `text/plain`.
    ///
    /// ```
    /// use obs_tower::observe::BodyLogging;
    ///
    /// let logging = BodyLogging::default().content_types(["application/json"]).limit_bytes(2_048);
    /// # let _ = logging;
    /// ```
    #[must_use]
    pub fn content_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.content_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Rewrites the text before it is logged. Default: as it is.
    ///
    /// It sees what was kept, which may be cut in the middle of a value. If it panics, the body is
    /// not logged.
    #[must_use]
    pub fn redact(mut self, redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.redact = Some(Arc::new(redact));
        self
    }

    pub(super) fn check(&self, field: &'static str) -> Result<(), ConfigError> {
        if (1..=MAX_LIMIT).contains(&self.limit_bytes) {
            return Ok(());
        }
        let rule = "limit_bytes must be between 1 and 65536";
        Err(ConfigError::new(field, self.limit_bytes, rule))
    }

    fn covers(&self, headers: &HeaderMap) -> bool {
        let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok())
        else {
            return false;
        };
        let kind = kind.split(';').next().unwrap_or_default().trim();
        self.content_types.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => {
                kind.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            }
            None => known.eq_ignore_ascii_case(kind),
        })
    }

    /// A place for the body that follows these headers, if it is to be logged.
    pub(super) fn capture(self: &Arc<Self>, headers: &HeaderMap) -> Option<Capture> {
        self.covers(headers).then(|| Capture { logging: Arc::clone(self), kept: Vec::new() })
    }
}

impl std::fmt::Debug for BodyLogging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyLogging")
            .field("limit_bytes", &self.limit_bytes)
            .field("content_types", &self.content_types)
            .field("redact", &self.redact.is_some())
            .finish()
    }
}

/// What is kept of a body.
#[derive(Debug)]
pub(super) struct Capture {
    logging: Arc<BodyLogging>,
    kept: Vec<u8>,
}

impl Capture {
    pub(super) fn push(&mut self, data: &impl Buf) {
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let filled = data.chunks_vectored(&mut slices);
        for slice in &slices[..filled] {
            let room = self.logging.limit_bytes - self.kept.len();
            self.kept.extend_from_slice(&slice[..slice.len().min(room)]);
        }
    }

    /// The text to log; a character that the limit cuts in half is left out.
    pub(super) fn text(&self) -> Option<String> {
        if self.kept.is_empty() {
            return None;
        }
        let whole = match std::str::from_utf8(&self.kept) {
            Err(error) if error.error_len().is_none() => &self.kept[..error.valid_up_to()],
            _ => &self.kept,
        };
        let text = String::from_utf8_lossy(whole);
        match &self.logging.redact {
            Some(redact) => contained(|| redact(&text)),
            None => Some(text.into_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;

    fn headers(kind: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))])
    }

    fn logged(logging: BodyLogging, pieces: &[&'static [u8]]) -> Option<String> {
        let mut capture = Arc::new(logging).capture(&headers("text/plain")).unwrap();
        for piece in pieces {
            capture.push(&Bytes::from_static(piece));
        }
        capture.text()
    }

    #[test]
    fn no_more_than_the_limit_is_kept_and_no_character_is_cut_in_half() {
        let pieces: [&[u8]; 2] = [b"abc", "dé…".as_bytes()];
        assert_eq!(logged(BodyLogging::default().limit_bytes(5), &pieces).unwrap(), "abcd");
        assert_eq!(logged(BodyLogging::default().limit_bytes(6), &pieces).unwrap(), "abcdé");
        assert_eq!(logged(BodyLogging::default(), &pieces).unwrap(), "abcdé…");
    }

    #[test]
    fn a_redaction_that_panics_leaves_the_body_out() {
        let logging = BodyLogging::default().redact(|_| panic!("redaction"));
        assert_eq!(logged(logging, &[b"secret"]), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(logged(BodyLogging::default(), &[b"a\xffb"]).unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn only_listed_content_types_are_kept() {
        let listed = Arc::new(BodyLogging::default().content_types(["text/*", "application/json"]));
        for (kind, expected) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/plain", true),
            ("application/JSON", true),
            ("application/jsonp", false),
            ("image/png", false),
        ] {
            assert_eq!(listed.capture(&headers(kind)).is_some(), expected, "{kind}");
        }
        assert!(listed.capture(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_limit_out_of_range_is_refused() {
        assert!(BodyLogging::default().limit_bytes(0).check("request_body").is_err());
        assert!(BodyLogging::default().limit_bytes(65_536).check("request_body").is_ok());
    }
}
