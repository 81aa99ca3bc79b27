use std::fmt::Write as _;

use http::{HeaderMap, HeaderName};

use super::REDACTED;
use crate::config::ConfigError;
use crate::log::{Line, ValueRef};

/// The headers that may stand in a line: those that are named, and no others.
///
/// `User-Agent` becomes the field `header_user_agent`. A value that is marked as sensitive is
/// hidden even when its header is named; several values of one header are joined by `, `.
///
/// ```
/// use obs_core::log::HeaderFields;
///
/// let fields = HeaderFields::allow(["content-type", "accept-language"])?;
/// assert!(HeaderFields::allow(["no header"]).is_err());
/// # let _ = fields;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct HeaderFields(Vec<(HeaderName, Box<str>)>);

impl HeaderFields {
    /// Allows the named headers.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that is none.
    pub fn allow<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, ConfigError> {
        let field = |name: &str| match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) => {
                let key = format!("header_{}", header.as_str().replace('-', "_"));
                Ok((header, key.into_boxed_str()))
            }
            Err(_) => Err(ConfigError::new("headers", name, "must be a header name")),
        };
        names.into_iter().map(field).collect::<Result<_, _>>().map(Self)
    }

    /// Writes the allowed headers that are among `headers`.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue};
    /// use obs_core::clock::Timestamp;
    /// use obs_core::log::{HeaderFields, Line, LineFormat, LineLevel};
    ///
    /// let headers = HeaderMap::from_iter([
    ///     (http::header::ACCEPT_LANGUAGE, HeaderValue::from_static("de")),
    ///     (http::header::AUTHORIZATION, HeaderValue::from_static("Bearer secret")),
    /// ]);
    /// let (mut out, format) = (Vec::new(), LineFormat::new("orders"));
    /// let at = Timestamp::from_unix_millis(0);
    /// let mut line = Line::begin(&mut out, &format, at, LineLevel::Info, format_args!("done"), "orders");
    /// HeaderFields::allow(["accept-language"])?.write(&mut line, &headers);
    /// let line = String::from_utf8_lossy(line.finish()).into_owned();
    /// assert!(line.contains(r#""header_accept_language":"de""#) && !line.contains("secret"));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn write(&self, line: &mut Line<'_>, headers: &HeaderMap) {
        for (name, key) in &self.0 {
            let mut values = headers.get_all(name).iter();
            let Some(first) = values.next() else { continue };
            match (first.to_str(), values.next()) {
                (Ok(text), None) if !first.is_sensitive() => line.str(key, text),
                _ => {
                    let mut joined = String::new();
                    for (place, value) in headers.get_all(name).iter().enumerate() {
                        let separator = if place == 0 { "" } else { ", " };
                        let text = String::from_utf8_lossy(value.as_bytes());
                        let text = if value.is_sensitive() { REDACTED } else { &text };
                        // Writing to a string does not fail.
                        let _ = write!(joined, "{separator}{text}");
                    }
                    line.field(key, ValueRef::Str(&joined))
                }
            };
        }
    }
}
