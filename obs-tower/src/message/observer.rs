use std::sync::Arc;

use obs_core::clock::Timestamp;
use obs_core::config::ConfigError;
use obs_core::context::RequestContext;
use obs_core::log::LineHead;
use obs_core::metric::{Descriptor, Unit};
use obs_core::propagate::{Carrier, Extracted, TrustPolicy};
use obs_core::telemetry::Telemetry;
use obs_core::trace::{SamplingInput, SpanKind};
use obs_emf::{ABSENT, Shape};

use crate::exchange::milliseconds;
use crate::work::{Kind, Watched, Work};

/// The target of the lines of messages, by which `RUST_LOG` filters them.
pub const TARGET: &str = "obs_tower::message";

/// Messages that were processed, well or not.
pub static MESSAGES: Descriptor =
    Descriptor::new("Messages", Unit::Count, "Messages that were processed");
/// Messages whose processing failed.
pub static MESSAGE_FAULTS: Descriptor =
    Descriptor::new("MessageFaults", Unit::Count, "Messages whose processing failed");
/// Time from the beginning of the processing to its end.
pub static MESSAGE_LATENCY: Descriptor =
    Descriptor::new("MessageLatency", Unit::Milliseconds, "Time that processing a message took");
/// Time from the sending of a message to the beginning of its processing.
pub static MESSAGE_AGE: Descriptor =
    Descriptor::new("MessageAge", Unit::Milliseconds, "Age of a message when processing began");

/// What is known of a received message beside its attributes.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_tower::message::MessageInfo;
///
/// // What SQS says in `ApproximateReceiveCount` and `SentTimestamp`.
/// let info = MessageInfo::new("m-1").attempt(2).sent(Clock::system().wall());
/// # let _ = info;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MessageInfo<'a> {
    pub(super) id: &'a str,
    attempt: Option<u32>,
    sent: Option<Timestamp>,
}

impl<'a> MessageInfo<'a> {
    /// A message with this id.
    #[must_use]
    pub const fn new(id: &'a str) -> Self {
        Self { id, attempt: None, sent: None }
    }

    /// Sets how often it was received, 1 for the first time; SQS calls it
    /// `ApproximateReceiveCount`. Default: not known, and left out.
    #[must_use]
    pub const fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// Sets when it was sent, for its age; SQS calls it `SentTimestamp`. Default: not known, and
    /// `age_ms` is left out.
    #[must_use]
    pub const fn sent(mut self, at: Timestamp) -> Self {
        self.sent = Some(at);
        self
    }
}

/// Observes the messages of one source; cheap to clone.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use obs_core::propagate::TrustPolicy;
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::message::{MessageInfo, MessageObserver};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let telemetry = Telemetry::builder("billing").build()?;
/// let observer = MessageObserver::new(&telemetry, "aws_sqs", "placed-orders")?
///     .trust(TrustPolicy::message());
/// let attributes = BTreeMap::<String, String>::new();
/// let bill = observer.observe(&attributes, MessageInfo::new("m-1"), async { "7".parse::<u32>() });
/// assert_eq!(bill.await?, 7);
/// assert!(observer.batch().failed().is_empty());
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MessageObserver {
    kind: Arc<Kind>,
    system: &'static str,
    source: Arc<str>,
    trust: TrustPolicy,
}

impl MessageObserver {
    /// An observer for `source`, a queue or a topic, in `system`, such as `aws_sqs`.
    ///
    /// # Errors
    /// [`ConfigError`] if the names of service and source make no valid metrics.
    pub fn new(
        telemetry: &Telemetry,
        system: &'static str,
        source: impl Into<Arc<str>>,
    ) -> Result<Self, ConfigError> {
        let source = source.into();
        let namespace = telemetry.environment().get("AWS_EMF_NAMESPACE");
        let mut shape = Shape::builder(namespace.unwrap_or(telemetry.service_name()))
            .dimension_set(["Service", "Environment"])
            .dimension_set(["Service", "Environment", "Source"])
            .constant("Service", telemetry.service_name())
            .constant("Environment", telemetry.deployment_environment())
            .entity(telemetry.resource())
            .constant("Source", &*source);
        for metric in [&MESSAGES, &MESSAGE_FAULTS, &MESSAGE_LATENCY, &MESSAGE_AGE] {
            shape = shape.metric(metric);
        }
        let kind = Kind {
            telemetry: telemetry.clone(),
            head: LineHead::new("message processed", TARGET),
            span_name: format!("process {source}").into(),
            span_kind: SpanKind::Consumer,
            shape: shape.build()?,
        };
        Ok(Self { kind: Arc::new(kind), system, source, trust: TrustPolicy::message() })
    }

    /// Sets what of a message's attributes counts. Default [`TrustPolicy::message`].
    #[must_use]
    pub const fn trust(mut self, policy: TrustPolicy) -> Self {
        self.trust = policy;
        self
    }

    /// Processes one message: runs `future` in its context and records how that ended.
    ///
    /// Dropping the future records that the processing was given up.
    pub fn observe<F>(
        &self,
        message: &impl Carrier,
        info: MessageInfo<'_>,
        future: F,
    ) -> Watched<F> {
        let wall = self.kind.telemetry.clock().wall();
        let extracted = self.kind.telemetry.propagators().extract(message, &self.trust);
        let mut work = self.begin(extracted);
        work.field("message_id", info.id.to_owned());
        work.attribute("messaging.message.id", info.id.to_owned());
        if let Some(attempt) = info.attempt {
            work.field("attempt", attempt);
            work.attribute("messaging.message.delivery_attempt", attempt.to_string());
        }
        let age = info.sent.map(|sent| milliseconds(wall.saturating_duration_since(sent)));
        if let Some(age) = age {
            work.field("age_ms", age);
        }
        work.value(age.unwrap_or(ABSENT));
        work.watch(future)
    }

    /// Opens the record of work that these attributes caused.
    fn begin(&self, extracted: Extracted) -> Work {
        let telemetry = &self.kind.telemetry;
        let now = telemetry.clock().now();
        let mut builder = RequestContext::builder(telemetry).extracted(extracted, now);
        let input = SamplingInput::new(builder.trace_id(), telemetry.service_name())
            .parent_sampled(builder.parent_sampled());
        let sampled = telemetry.tracer().decide(&input).sampled;
        let mut work = Work::begin(Arc::clone(&self.kind), builder.sampled(sampled).build());
        work.field("source", Arc::clone(&self.source));
        work.attribute("messaging.system", self.system);
        work.attribute("messaging.destination.name", Arc::clone(&self.source));
        work.attribute("messaging.operation.type", "process");
        work
    }
}
