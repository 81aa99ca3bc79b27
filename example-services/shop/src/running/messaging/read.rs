use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::MAX_LINKS;
use obs_core::telemetry::Telemetry;
use obs_core::trace::{SamplingInput, SpanKind, SpanLink, SpanRecord};
use serde_json::Value;
use shop_domain::port::messaging::{MessagingError, Position, Record, Stream};
use shop_store::SqliteStream;
use tokio::task::JoinHandle;

use super::carrier::trace;
use super::consume::HandleError;

/// The most records of one read.
const BATCH: usize = 100;

/// How long to wait for records at a time, and after a failure.
const WAIT: (Duration, Duration) = (Duration::from_secs(20), Duration::from_millis(500));

/// Reads `stream` as `reader`, for ever, each shard by itself: `handle` gets the records of a batch
/// as JSON, with the times at which they were put. A batch that fails is read again.
pub(crate) fn read<H, F>(
    telemetry: &Telemetry,
    stream: SqliteStream,
    reader: &'static str,
    handle: H,
) -> JoinHandle<()>
where
    H: Fn(Vec<(Value, u64)>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), HandleError>> + Send,
{
    let telemetry = telemetry.clone();
    let scope = telemetry.clone();
    let serve = async move {
        let shards = loop {
            match stream.shards().await {
                Ok(shards) => break shards,
                Err(error) => pause(&error).await,
            }
        };
        let shards = shards.into_iter().map(|shard| {
            let (stream, telemetry, handle) = (stream.clone(), telemetry.clone(), handle.clone());
            async move {
                loop {
                    let read = batch(&telemetry, &stream, reader, &shard, &handle).await;
                    if let Err(error) = read {
                        pause(&*error).await;
                    }
                }
            }
        });
        futures_util::future::join_all(shards).await;
    };
    tokio::spawn(async move { scope.scope(serve).await })
}

async fn pause(error: &(dyn std::error::Error + Send + Sync)) {
    tracing::warn!(error = error.to_string(), "stream cannot be read on");
    tokio::time::sleep(WAIT.1).await;
}

async fn batch<H, F>(
    telemetry: &Telemetry,
    stream: &SqliteStream,
    reader: &'static str,
    shard: &str,
    handle: &H,
) -> Result<(), HandleError>
where
    H: Fn(Vec<(Value, u64)>) -> F,
    F: Future<Output = Result<(), HandleError>>,
{
    let checkpoint = stream.checkpoint(reader, shard).await?;
    let from = checkpoint.map_or(Position::Oldest, Position::After);
    let records: Vec<Record> = stream.read(shard, from, BATCH, WAIT.0).await?;
    let Some(last) = records.last().map(|record| record.sequence) else { return Ok(()) };
    let documents: Vec<_> = records.iter().map(document).collect();
    let (context, span) = received(telemetry, stream.name(), &documents);
    let result = context.scope(handle(documents)).await;
    if let Some(mut span) = span {
        span.end = telemetry.clock().wall();
        telemetry.tracer().export(span);
    }
    result?;
    let advanced: Result<(), MessagingError> = stream.advance(reader, shard, last).await;
    Ok(advanced?)
}

fn document(record: &Record) -> (Value, u64) {
    (serde_json::from_slice(&record.data).unwrap_or_default(), record.put_at_ms)
}

/// A trace of the batch's own, linked to those of its records.
fn received(
    telemetry: &Telemetry,
    stream: &str,
    documents: &[(Value, u64)],
) -> (RequestContext, Option<SpanRecord>) {
    let traces = documents.iter().filter_map(|(document, _)| trace(document));
    let mut links: Vec<SpanLink> = Vec::new();
    for fields in traces {
        let extracted = telemetry.propagators().extract(fields, &TrustPolicy::message());
        let parent =
            extracted.parent.and_then(|parent| Some((parent.trace_id, parent.parent_span?)));
        if let Some((trace_id, span_id)) = parent
            && links.len() < MAX_LINKS
        {
            links.push(SpanLink::new(trace_id, span_id));
        }
    }
    let mut builder = RequestContext::builder(telemetry);
    let input = SamplingInput::new(builder.trace_id(), telemetry.service_name());
    let sampled = telemetry.tracer().decide(&input).sampled;
    let context = builder.sampled(sampled).build();
    let span = sampled.then(|| {
        let (trace_id, span_id) = (context.trace_id(), context.span_id());
        let name = format!("receive {stream}");
        let mut span = SpanRecord::new(name, SpanKind::Consumer, trace_id, span_id);
        span.start = telemetry.clock().wall();
        span.attributes.push("messaging.system", "aws_kinesis");
        span.attributes.push("messaging.destination.name", stream.to_owned());
        span.attributes.push("messaging.operation.type", "receive");
        span.attributes.push("messaging.batch.message_count", documents.len());
        links.into_iter().for_each(|link| span.add_link(link));
        span
    });
    (context, span)
}
