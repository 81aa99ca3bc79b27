use std::time::Duration;

use crate::config::ConfigError;
use crate::environment::Environment;

/// How spans travel to an OTLP receiver.
///
/// ```
/// use obs_core::trace::{OtlpExporter, OtlpProtocol};
///
/// let builder = OtlpExporter::builder().protocol(OtlpProtocol::Grpc);
/// # let _ = builder;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpProtocol {
    /// gRPC; needs the feature `otlp-grpc`.
    Grpc,
    /// Protobuf over HTTP 1.1; needs the feature `otlp-http`.
    HttpProtobuf,
}

impl OtlpProtocol {
    /// OpenTelemetry's default where it is built in, else the other.
    pub(super) const fn preferred() -> Self {
        if cfg!(feature = "otlp-http") { Self::HttpProtobuf } else { Self::Grpc }
    }

    const fn default_endpoint(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::HttpProtobuf => "http://localhost:4318/v1/traces",
        }
    }
}

/// What the environment, then the code, says about an OTLP receiver.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) protocol: OtlpProtocol,
    /// The whole address; over HTTP with its path.
    pub(super) endpoint: Option<String>,
    pub(super) timeout: Duration,
    pub(super) headers: Vec<(String, String)>,
    pub(super) gzip: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protocol: OtlpProtocol::preferred(),
            endpoint: None,
            timeout: Duration::from_secs(10),
            headers: Vec::new(),
            gzip: false,
        }
    }
}

impl Settings {
    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or_else(|| self.protocol.default_endpoint())
    }

    pub(super) fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        if let Some((name, text)) = signal(environment, "PROTOCOL") {
            settings.protocol = match text.trim() {
                "grpc" => OtlpProtocol::Grpc,
                "http/protobuf" => OtlpProtocol::HttpProtobuf,
                _ => return Err(ConfigError::new(name, text, "must be grpc or http/protobuf")),
            };
        }
        settings.endpoint = endpoint(environment, settings.protocol)?;
        if let Some((name, text)) = signal(environment, "TIMEOUT") {
            let millis = text.trim().parse::<u32>().ok().filter(|millis| *millis > 0);
            let rule = "must be a positive whole number of milliseconds";
            let millis = millis.ok_or_else(|| ConfigError::new(name, text, rule))?;
            settings.timeout = Duration::from_millis(u64::from(millis));
        }
        if let Some((name, text)) = signal(environment, "HEADERS") {
            settings.headers = headers(name, text)?;
        }
        if let Some((name, text)) = signal(environment, "COMPRESSION") {
            settings.gzip = match text.trim() {
                "gzip" => true,
                "none" => false,
                _ => return Err(ConfigError::new(name, text, "must be gzip or none")),
            };
        }
        Ok(settings)
    }
}

/// The variable for traces, else the one for all signals.
fn signal<'a>(environment: &'a Environment, what: &str) -> Option<(String, &'a str)> {
    ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"].into_iter().find_map(|prefix| {
        let name = format!("{prefix}{what}");
        environment.get(&name).map(|value| (name, value))
    })
}

/// Over HTTP the address for all signals is a base to which the path of the signal is added; the
/// one for traces is used as it is
/// ([specification](https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp)).
fn endpoint(
    environment: &Environment,
    protocol: OtlpProtocol,
) -> Result<Option<String>, ConfigError> {
    let Some((name, text)) = signal(environment, "ENDPOINT") else { return Ok(None) };
    let text = text.trim();
    if !is_http_url(text) {
        return Err(ConfigError::new(name, text, "must be an http:// or https:// address"));
    }
    let is_base = name == "OTEL_EXPORTER_OTLP_ENDPOINT";
    Ok(Some(match protocol {
        OtlpProtocol::HttpProtobuf if is_base => {
            format!("{}/v1/traces", text.trim_end_matches('/'))
        }
        _ => text.to_owned(),
    }))
}

pub(super) fn is_http_url(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
    })
}

pub(super) fn is_https(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https"))
}

fn headers(name: String, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let mut headers = Vec::new();
    for member in text.split(',').map(str::trim).filter(|member| !member.is_empty()) {
        let pair = member.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        match pair {
            Some((key, value)) if !key.is_empty() => {
                headers.push((key.to_ascii_lowercase(), percent_decoded(value)));
            }
            // The text may hold a secret: only its place is told.
            _ => return Err(ConfigError::new(name, "(hidden)", "must be key=value,key=value")),
        }
    }
    Ok(headers)
}

/// Undoes percent-encoding where it is well formed, and leaves the rest as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let digit = |at: usize| others.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &others[2..];
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        Settings::from_environment(&variables.iter().copied().collect())
    }

    #[test]
    fn the_base_address_gets_the_path_of_traces_and_the_address_of_traces_does_not() {
        let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        assert_eq!(read(&[http, base]).unwrap().endpoint(), "http://collector:4318/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:9/in");
        assert_eq!(read(&[http, base, own]).unwrap().endpoint(), "http://traces:9/in");
        let grpc = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
        assert_eq!(read(&[http, grpc, base]).unwrap().endpoint(), "http://collector:4318/");
        assert_eq!(read(&[grpc]).unwrap().endpoint(), "http://localhost:4317");
    }

    #[test]
    fn headers_are_decoded_and_secrets_are_not_told() {
        let headers = read(&[("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b, x=1=2,")]).unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(headers.headers, [pair("api-key", "a b"), pair("x", "1=2")]);
        let error = read(&[("OTEL_EXPORTER_OTLP_HEADERS", "secret")]).unwrap_err();
        assert!(!error.to_string().contains("= secret"), "{error}");
    }

    #[test]
    fn a_bad_value_is_named() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!((error.field(), error.value()), (name, value));
        }
    }
}
