use std::time::Duration;

use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
#[cfg(feature = "otlp-tls")]
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{Compression, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use crate::config::ConfigError;

use super::headers::header_map;
use super::settings::Settings;
#[cfg(feature = "otlp-tls")]
use super::settings::is_https;
use super::{Built, Drive, Export, refused};

/// A runtime of the exporter's own, so that a busy or stopping one of the service cannot stall it.
/// It is there until it is dropped.
struct OwnRuntime(Option<tokio::runtime::Runtime>);

pub(super) fn build(settings: &Settings) -> Result<Built, ConfigError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ConfigError::new("protocol", error, "its runtime must start"))?;
    let runtime = OwnRuntime(Some(runtime));
    let mut builder = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(settings.endpoint())
        .with_timeout(settings.timeout)
        .with_metadata(MetadataMap::from_headers(header_map(settings)?));
    if settings.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    #[cfg(feature = "otlp-tls")]
    if is_https(settings.endpoint()) {
        builder = builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    let exporter = {
        let _entered = runtime.0.as_ref().map(tokio::runtime::Runtime::enter);
        builder.build().map_err(|error| refused(&error))?
    };
    Ok((exporter, Box::new(runtime)))
}

impl Drive for OwnRuntime {
    fn run(&self, limit: Duration, export: Export<'_>) -> OTelSdkResult {
        let Some(runtime) = &self.0 else { return Err(OTelSdkError::AlreadyShutdown) };
        runtime
            .block_on(async { tokio::time::timeout(limit, export).await })
            .unwrap_or(Err(OTelSdkError::Timeout(limit)))
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // In this way it may be dropped within another runtime, too.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
