use std::task::{Context, Poll, Waker};
use std::time::Duration;

use opentelemetry_otlp::{Compression, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use crate::config::ConfigError;

use super::builder::{header_map, refused};
use super::settings::Settings;
use super::{Built, Drive, Export};

/// A blocking client, whose own time-out holds: the future is ready when it is polled first.
struct Blocking;

pub(super) fn build(settings: &Settings) -> Result<Built, ConfigError> {
    header_map(settings)?;
    let mut builder = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(settings.endpoint())
        .with_timeout(settings.timeout)
        .with_headers(settings.headers.iter().cloned().collect());
    if settings.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    Ok((builder.build().map_err(|error| refused(&error))?, Box::new(Blocking)))
}

impl Drive for Blocking {
    fn run(&self, _: Duration, mut export: Export<'_>) -> OTelSdkResult {
        match export.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                let fault =
                    "`opentelemetry-otlp` was built with an HTTP client that does not block";
                Err(OTelSdkError::InternalFailure(fault.to_owned()))
            }
        }
    }
}
