use std::time::Duration;

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::SpanExporter as _;

use crate::clock::Clock;
use crate::config::ConfigError;
use crate::environment::Environment;
use crate::resource::Resource;

#[cfg(not(all(feature = "otlp-grpc", feature = "otlp-http")))]
use super::Built;
use super::OtlpExporter;
#[cfg(feature = "otlp-grpc")]
use super::grpc::build as grpc;
#[cfg(feature = "otlp-http")]
use super::http_protobuf::build as http;
use super::settings::{OtlpProtocol, Settings, is_http_url, is_https};

impl OtlpExporter {
    /// An exporter with OpenTelemetry's defaults: a receiver on this host, a time-out of 10 s.
    #[must_use]
    pub fn builder() -> OtlpExporterBuilder {
        OtlpExporterBuilder { settings: Settings::default(), resource: Resource::empty() }
    }

    /// The exporter that the
    /// [`OTEL_EXPORTER_OTLP_*` and `OTEL_EXPORTER_OTLP_TRACES_*` variables](https://opentelemetry.io/docs/specs/otel/protocol/exporter/)
    /// describe: `ENDPOINT`, `PROTOCOL`, `TIMEOUT`, `HEADERS`, `COMPRESSION`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the variable whose value cannot be used, or the feature that is
    /// missing for the protocol.
    pub fn from_environment(
        environment: &Environment,
        resource: &Resource,
    ) -> Result<Self, ConfigError> {
        let settings = Settings::from_environment(environment)?;
        OtlpExporterBuilder { settings, resource: resource.clone() }.build()
    }
}

/// Builds an [`OtlpExporter`].
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::resource::Resource;
/// use obs_core::trace::{OtlpExporter, OtlpProtocol};
///
/// let exporter = OtlpExporter::builder()
///     .protocol(OtlpProtocol::HttpProtobuf)
///     .endpoint("http://127.0.0.1:4318/v1/traces")
///     .timeout(Duration::from_secs(5))
///     .header("x-api-key", "secret")
///     .gzip(true)
///     .resource(&Resource::empty().with("service.name", "orders"))
///     .build()?;
/// # let _ = exporter;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OtlpExporterBuilder {
    settings: Settings,
    resource: Resource,
}

impl OtlpExporterBuilder {
    /// Sets the protocol; by default `http/protobuf`, or gRPC if that alone is built in.
    #[must_use]
    pub const fn protocol(mut self, protocol: OtlpProtocol) -> Self {
        self.settings.protocol = protocol;
        self
    }

    /// Sets the address; over HTTP with its path, usually `/v1/traces`. Default
    /// `http://localhost:4318/v1/traces`, and over gRPC `http://localhost:4317`.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.settings.endpoint = Some(endpoint.into());
        self
    }

    /// Sets the longest one batch may take, with its further attempts. Default 10 s.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Adds a header (gRPC: metadata) to every request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.headers.push((name.into().to_ascii_lowercase(), value.into()));
        self
    }

    /// Switches compression with gzip on or off. Default off.
    #[must_use]
    pub const fn gzip(mut self, gzip: bool) -> Self {
        self.settings.gzip = gzip;
        self
    }

    /// Sets whose spans these are. Default: an empty one.
    #[must_use]
    pub fn resource(mut self, resource: &Resource) -> Self {
        self.resource = resource.clone();
        self
    }

    /// Builds the exporter. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`] for an address or header that cannot be used, a protocol that is not built
    /// in, or an address with `https` without the feature `otlp-tls`.
    pub fn build(self) -> Result<OtlpExporter, ConfigError> {
        let settings = &self.settings;
        let endpoint = settings.endpoint().to_owned();
        if !is_http_url(&endpoint) {
            let rule = "must be an http:// or https:// address";
            return Err(ConfigError::new("endpoint", endpoint, rule));
        }
        if is_https(&endpoint) && !cfg!(feature = "otlp-tls") {
            let rule = "needs the feature `otlp-tls` of obs-aws-core";
            return Err(ConfigError::new("endpoint", endpoint, rule));
        }
        let (mut exporter, driver) = match settings.protocol {
            OtlpProtocol::Grpc => grpc(settings)?,
            OtlpProtocol::HttpProtobuf => http(settings)?,
        };
        let attributes = self.resource.iter();
        let attributes =
            attributes.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
        let resource = opentelemetry_sdk::Resource::builder_empty().with_attributes(attributes);
        exporter.set_resource(&resource.build());
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(OtlpExporter {
            exporter,
            driver,
            scope,
            endpoint,
            timeout: self.settings.timeout,
            clock: Clock::system(),
        })
    }
}

#[cfg(not(feature = "otlp-grpc"))]
fn grpc(_: &Settings) -> Result<Built, ConfigError> {
    Err(ConfigError::new("protocol", "grpc", "needs the feature `otlp-grpc` of obs-aws-core"))
}

#[cfg(not(feature = "otlp-http"))]
fn http(_: &Settings) -> Result<Built, ConfigError> {
    let rule = "needs the feature `otlp-http` of obs-aws-core";
    Err(ConfigError::new("protocol", "http/protobuf", rule))
}
