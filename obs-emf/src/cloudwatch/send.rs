use std::future::Future;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::ProvideErrorMetadata;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use obs_core::id::IdGenerator;

use super::datum::Datum;
use crate::ledger::{DropReason, Ledger};
use crate::sink::Backoff;

/// What the service said to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A datum breaks a rule; nothing of the call was stored.
    Invalid,
    /// Later it may work.
    Transient,
}

/// `PutMetricData`, as far as it matters here.
pub(super) trait Api: Send + Sync + 'static {
    /// Sends data of one namespace.
    fn put(&self, data: &[Datum]) -> impl Future<Output = Result<(), Refusal>> + Send;
}

impl Api for Client {
    async fn put(&self, data: &[Datum]) -> Result<(), Refusal> {
        let namespace = data.first().map(|datum| datum.namespace.clone());
        let call = self.put_metric_data().set_namespace(namespace);
        let call = call.set_metric_data(Some(data.iter().map(wire).collect()));
        let Err(error) = call.send().await else { return Ok(()) };
        let status = error.raw_response().map(|response| response.status().as_u16());
        let throttled = matches!(
            error.code(),
            Some("Throttling" | "ThrottlingException" | "RequestLimitExceeded")
        );
        let invalid = status.is_some_and(|status| (400..500).contains(&status) && status != 429);
        Err(if invalid && !throttled { Refusal::Invalid } else { Refusal::Transient })
    }
}

fn wire(datum: &Datum) -> MetricDatum {
    let dimension =
        |(name, value): &(String, String)| Dimension::builder().name(name).value(value).build();
    MetricDatum::builder()
        .metric_name(&datum.name)
        .unit(StandardUnit::from(datum.unit.as_str()))
        .storage_resolution(i32::from(datum.resolution.seconds()))
        .timestamp(DateTime::from_millis(i64::try_from(datum.timestamp).unwrap_or(i64::MAX)))
        .set_dimensions(Some(datum.dimensions.iter().map(dimension).collect()))
        .set_values(Some(datum.values.iter().map(|value| value.0).collect()))
        .set_counts(Some(datum.values.iter().map(|value| value.1 as f64).collect()))
        .build()
}

const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Sends calls and repeats them.
#[derive(Debug)]
pub(super) struct Sender<A> {
    api: A,
    ids: IdGenerator,
}

impl<A: Api> Sender<A> {
    pub(super) const fn new(api: A, ids: IdGenerator) -> Self {
        Self { api, ids }
    }

    /// Sends the data of one call; says what became of their points.
    pub(super) async fn send(&self, data: Vec<Datum>) -> Ledger {
        let mut ledger = Ledger::default();
        // Parts of a call that was refused as a whole; the last is sent next.
        let mut parts: Vec<&[Datum]> = vec![&data];
        while let Some(part) = parts.pop() {
            let points = part.iter().map(|datum| datum.points).sum();
            match self.put(part).await {
                Ok(()) => ledger.emit(points),
                Err(Refusal::Invalid) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(_) => ledger.drop_points(DropReason::Refused, points),
            }
        }
        ledger
    }

    async fn put(&self, data: &[Datum]) -> Result<(), Refusal> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE, self.ids.clone());
        for _ in 1..ATTEMPTS {
            match self.api.put(data).await {
                Err(Refusal::Transient) => tokio::time::sleep(backoff.next_pause()).await,
                result => return result,
            }
        }
        self.api.put(data).await
    }
}
