use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use obs_core::metric::{Descriptor, Gauge, Unit};
use obs_core::propagate::message::MAX_LINKS;
use obs_core::telemetry::Telemetry;
use obs_core::trace::SpanKind;
use shop_domain::port::messaging::{MessagingError, Position, Record, Stream};

use super::{Carried, HandleError, Job};

/// The most records of one batch: as many as its span has links.
const BATCH: usize = MAX_LINKS;

/// How long a reader waits for records before it looks whether it is to stop.
const WAIT: Duration = Duration::from_secs(20);

/// How long a batch that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// How old the oldest record of the last batch was.
pub static ITERATOR_AGE: Descriptor =
    Descriptor::new("IteratorAge", Unit::Milliseconds, "Age of the records that are read");

/// What is needed to work on the records of a stream.
#[derive(Clone, Debug)]
pub struct Reader {
    stream: Arc<dyn Stream>,
    name: &'static str,
    telemetry: Telemetry,
    iterator_age: Gauge,
}

impl Reader {
    /// The service that `telemetry` belongs to reads `stream`, and keeps its checkpoints as `name`.
    #[must_use]
    pub fn new(stream: Arc<dyn Stream>, name: &'static str, telemetry: &Telemetry) -> Self {
        let labels = [("Stream", stream.name())];
        let iterator_age = telemetry.recorder().gauge(&ITERATOR_AGE, &labels);
        Self { stream, name, telemetry: telemetry.clone(), iterator_age }
    }
}

/// Works on the records of a stream, batch by batch and in order within each shard, until `stop`
/// completes.
///
/// A batch that fails comes again, after a second, and holds up its shard; so `handle` must bear
/// to see records twice and must not fail for ever. Its span is linked to the traces of all of
/// its records.
pub async fn read<F, E>(
    reader: Reader,
    stop: impl Future<Output = ()>,
    handle: impl Fn(Vec<Record>) -> F,
) where
    F: Future<Output = Result<(), E>>,
    E: Into<HandleError>,
{
    let Ok(shards) = reader.stream.shards().await else { return };
    let shards = join_all(shards.iter().map(|shard| reader.shard(shard, &handle)));
    tokio::select! {
        () = stop => {}
        _ = shards => {}
    }
}

impl Reader {
    async fn shard<F, E>(&self, shard: &str, handle: &impl Fn(Vec<Record>) -> F)
    where
        F: Future<Output = Result<(), E>>,
        E: Into<HandleError>,
    {
        loop {
            let worked = self.telemetry.scope(self.batch(shard, handle)).await;
            if !worked.is_ok_and(|worked| worked) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Says whether the next batch may come.
    async fn batch<F, E>(
        &self,
        shard: &str,
        handle: &impl Fn(Vec<Record>) -> F,
    ) -> Result<bool, MessagingError>
    where
        F: Future<Output = Result<(), E>>,
        E: Into<HandleError>,
    {
        let checkpoint = self.stream.checkpoint(self.name, shard).await?;
        let position = checkpoint.map_or(Position::Oldest, Position::After);
        let records = self.stream.read(shard, position, BATCH, WAIT).await?;
        let Some(last) = records.last().map(|record| record.sequence) else { return Ok(true) };
        let count = records.len();
        let oldest = records.first().map_or(0, |record| record.put_at_ms);
        let age_ms = self.telemetry.clock().wall().unix_millis().saturating_sub(oldest);
        self.iterator_age.set(age_ms as f64);
        let job = Job::caused_by_all(&self.telemetry, records.iter().map(Carried::by_record))
            .attribute("messaging.system", "aws_kinesis")
            .attribute("messaging.destination.name", self.stream.name().to_owned())
            .attribute("messaging.operation.type", "process")
            .attribute("messaging.batch.message_count", count);
        let result = job
            .run(async {
                let result = handle(records).await.map_err(Into::into);
                match &result {
                    Ok(()) => tracing::info!(shard, count, sequence = last, "records processed"),
                    Err(error) => tracing::error!(shard, count, %error, "records failed"),
                }
                result
            })
            .await;
        let error = result.is_err().then_some("handler");
        job.end(format!("process {}", self.stream.name()), SpanKind::Consumer, error);
        if result.is_ok() {
            self.stream.advance(self.name, shard, last).await?;
        }
        Ok(result.is_ok())
    }
}
