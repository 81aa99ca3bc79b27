//! The spans of `span/…`, by tracing-opentelemetry and the OpenTelemetry SDK.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt;

use super::super::span::children;
use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rival/sampled child by tracing-opentelemetry", || spans(Sampler::AlwaysOn))
            .instead_of("span/sampled child"),
        Job::new("rival/unsampled child by tracing-opentelemetry", || spans(Sampler::AlwaysOff))
            .instead_of("span/unsampled child"),
    ]
}

fn spans(sampler: Sampler) -> impl FnMut(u64) {
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(sampler)))
        .with_batch_exporter(Discard)
        .build();
    move |times| {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let request = tracing::info_span!("GET /orders/{id}");
            let _entered = request.enter();
            children(times);
        });
    }
}

/// Takes every span and keeps none.
#[derive(Debug)]
struct Discard;

impl SpanExporter for Discard {
    async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}
