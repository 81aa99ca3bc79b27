use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Compression, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use prost::Message as _;
use reqwest::blocking::Client;

use crate::config::ConfigError;

use super::headers::header_map;
use super::settings::Settings;
use super::{Built, Drive, Export, PartialSuccess, refused};

/// The client blocks, and its own time-out holds: the future is ready when it is polled first.
struct Blocking {
    rejected: Rejected,
}

/// What the last answer says of spans that the receiver did not take, although it took the batch.
#[derive(Clone, Debug, Default)]
struct Rejected(Arc<Mutex<Option<PartialSuccess>>>);

impl Rejected {
    fn slot(&self) -> MutexGuard<'_, Option<PartialSuccess>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads in the answers what OpenTelemetry's exporter only logs.
#[derive(Debug)]
struct Listening {
    client: Client,
    rejected: Rejected,
}

impl HttpClient for Listening {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let response = self.client.send_bytes(request).await?;
            *self.rejected.slot() = partial_success(response.body());
            Ok(response)
        })
    }
}

/// What [partial success](https://opentelemetry.io/docs/specs/otlp/#partial-success-1) the answer
/// tells of; `None` if every span was taken, and for an answer that cannot be read.
fn partial_success(answer: &[u8]) -> Option<PartialSuccess> {
    let told = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    let spans = usize::try_from(told.rejected_spans).ok().filter(|spans| *spans > 0)?;
    Some(PartialSuccess { rejected: spans, message: told.error_message })
}

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
    let rejected = Rejected::default();
    let client = client(settings.timeout)?;
    let exporter =
        builder.with_http_client(Listening { client, rejected: rejected.clone() }).build();
    Ok((exporter.map_err(|error| refused(&error))?, Box::new(Blocking { rejected })))
}

/// Built on a thread of its own: within an async runtime it would panic.
fn client(timeout: Duration) -> Result<Client, ConfigError> {
    let build = move || Client::builder().timeout(timeout).build();
    let fault =
        |error: &dyn fmt::Display| ConfigError::new("protocol", error, "its client must start");
    let built = std::thread::Builder::new().spawn(build).map_err(|error| fault(&error))?.join();
    built.map_err(|_| fault(&"a panic"))?.map_err(|error| fault(&error))
}

impl Drive for Blocking {
    fn run(&self, _: Duration, mut export: Export<'_>) -> OTelSdkResult {
        match export.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                let fault = "the exporter waits for something other than its client";
                Err(OTelSdkError::InternalFailure(fault.to_owned()))
            }
        }
    }

    fn take_partial_success(&self) -> Option<PartialSuccess> {
        self.rejected.slot().take()
    }
}
