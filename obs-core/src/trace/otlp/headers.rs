use crate::config::ConfigError;

use super::settings::Settings;

/// The headers of every request, of which none is shown in a log of ours or of the client.
pub(super) fn header_map(settings: &Settings) -> Result<http::HeaderMap, ConfigError> {
    let mut map = http::HeaderMap::new();
    for (name, value) in &settings.headers {
        let rule = "must be a header name with a printable value";
        let refused = || ConfigError::new("header", name, rule);
        let key = http::HeaderName::try_from(name).map_err(|_| refused())?;
        let mut value = http::HeaderValue::try_from(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(map)
}
