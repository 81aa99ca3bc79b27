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
    /// The caller may not call, whatever the data.
    Denied,
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
        Err(judge(status, error.code().unwrap_or_default()))
    }
}

/// What the answer to a call means, by the
/// [common errors](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html)
/// and those of `PutMetricData`.
fn judge(status: Option<u16>, code: &str) -> Refusal {
    const THROTTLED: [&str; 4] =
        ["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"];
    const ABOUT_THE_DATA: [&str; 7] = [
        "InvalidFormat",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "MissingParameter",
        "MissingRequiredParameter",
        "Validation",
        "SerializationException",
    ];
    match status {
        // Too much for one call.
        Some(413) => Refusal::Invalid,
        Some(400..500) if THROTTLED.contains(&code) => Refusal::Transient,
        Some(408 | 429) => Refusal::Transient,
        Some(400..500) if ABOUT_THE_DATA.iter().any(|known| code.starts_with(known)) => {
            Refusal::Invalid
        }
        Some(400..500) => Refusal::Denied,
        _ => Refusal::Transient,
    }
}

pub(super) fn wire(datum: &Datum) -> MetricDatum {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emf_p11_only_what_is_wrong_with_the_data_is_halved_and_only_what_passes_is_repeated() {
        for (status, code, expected) in [
            (Some(400), "ThrottlingException", Refusal::Transient),
            (Some(400), "Throttling", Refusal::Transient),
            (Some(429), "", Refusal::Transient),
            (Some(503), "ServiceUnavailable", Refusal::Transient),
            (Some(500), "InternalFailure", Refusal::Transient),
            (None, "", Refusal::Transient),
            (Some(400), "InvalidParameterValue", Refusal::Invalid),
            (Some(400), "InvalidParameterValueException", Refusal::Invalid),
            (Some(400), "MissingRequiredParameterException", Refusal::Invalid),
            (Some(400), "ValidationError", Refusal::Invalid),
            (Some(413), "", Refusal::Invalid),
            (Some(403), "AccessDenied", Refusal::Denied),
            (Some(400), "AccessDeniedException", Refusal::Denied),
            (Some(403), "InvalidClientTokenId", Refusal::Denied),
            (Some(404), "", Refusal::Denied),
        ] {
            assert_eq!(judge(status, code), expected, "{status:?} {code}");
        }
    }

    /// Throttles every call, and keeps when they came.
    #[derive(Default)]
    struct Throttled(std::sync::Mutex<Vec<tokio::time::Instant>>);

    impl Api for Throttled {
        async fn put(&self, _: &[Datum]) -> Result<(), Refusal> {
            self.0.lock().unwrap().push(tokio::time::Instant::now());
            Err(Refusal::Transient)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn emf_p11_pauses_double_with_jitter_until_the_call_is_given_up() {
        let sender = Sender::new(Throttled::default(), IdGenerator::seeded(1));
        assert_eq!(sender.put(&[]).await, Err(Refusal::Transient));
        let calls = sender.api.0.lock().unwrap();
        assert_eq!(calls.len(), ATTEMPTS as usize);
        let mut longest = FIRST_PAUSE;
        for pair in calls.windows(2) {
            let pause = pair[1] - pair[0];
            assert!(
                pause >= longest / 2 && pause <= longest + Duration::from_millis(1),
                "{pause:?}"
            );
            longest *= 2;
        }
    }
}
