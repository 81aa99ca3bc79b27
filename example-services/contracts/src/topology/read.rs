use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Arn, BusSpec, DeadLetter, Files, Filter, QueueSpec, RuleSpec, Scope, Service, StreamSpec,
    SubscriptionSpec, TargetSpec, TopicSpec, Topology, TopologyError,
};
use crate::Pattern;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Queues {
    queues: Vec<Queue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Queue {
    queue_name: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attributes {
    fifo_queue: Option<bool>,
    visibility_timeout: Option<u64>,
    delay_seconds: Option<u64>,
    message_retention_period: Option<u64>,
    redrive_policy: Option<Redrive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Redrive {
    dead_letter_target_arn: String,
    max_receive_count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Topics {
    topics: Vec<Topic>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Topic {
    name: String,
    subscriptions: Vec<Subscription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Subscription {
    protocol: String,
    endpoint: String,
    raw_message_delivery: bool,
    filter_policy: Option<Value>,
    filter_policy_scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Bus {
    event_bus_name: String,
    archive_retention_days: Option<u32>,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rule {
    name: String,
    event_pattern: Value,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Target {
    id: String,
    arn: String,
    input_path: Option<String>,
    kinesis_parameters: Option<KinesisParameters>,
    retry_policy: Option<RetryPolicy>,
    dead_letter_config: Option<DeadLetterConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KinesisParameters {
    partition_key_path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RetryPolicy {
    maximum_retry_attempts: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeadLetterConfig {
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Streams {
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Stream {
    stream_name: String,
    shard_count: u32,
    retention_period_hours: Option<u32>,
}

pub(super) fn all(files: Files<'_>) -> Result<Topology, TopologyError> {
    let Queues { queues } = file("queues.json", files.queues)?;
    let Topics { topics } = file("topics.json", files.topics)?;
    let bus = file("bus-rules.json", files.bus_rules)?;
    let Streams { streams } = file("streams.json", files.streams)?;
    Ok(Topology {
        queues: queues.into_iter().map(queue).collect::<Result<_, _>>()?,
        topics: topics.into_iter().map(topic).collect::<Result<_, _>>()?,
        bus: self::bus(bus)?,
        streams: streams.into_iter().map(stream).collect(),
    })
}

fn file<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, TopologyError> {
    serde_json::from_str(text)
        .map_err(|error| TopologyError::new(format!("{name} cannot be read")).because(error))
}

fn queue(Queue { queue_name: name, attributes }: Queue) -> Result<QueueSpec, TopologyError> {
    if name.ends_with(".fifo") != attributes.fifo_queue.unwrap_or_default() {
        let rule = "FifoQueue and the ending .fifo belong together";
        return Err(TopologyError::new(format!("queue {name}: {rule}")));
    }
    let dead_letter = |redrive: Redrive| {
        let queue = named(&redrive.dead_letter_target_arn, Service::Queue)?;
        Ok(DeadLetter { queue, max_receives: redrive.max_receive_count })
    };
    let seconds = |value: Option<u64>, default| value.map_or(default, Duration::from_secs);
    Ok(QueueSpec {
        name,
        visibility: seconds(attributes.visibility_timeout, Duration::from_secs(30)),
        delay: seconds(attributes.delay_seconds, Duration::ZERO),
        retention: seconds(attributes.message_retention_period, 96 * HOUR),
        dead_letter: attributes.redrive_policy.map(dead_letter).transpose()?,
    })
}

/// The name in an ARN that must be of this service.
fn named(arn: &str, service: Service) -> Result<String, TopologyError> {
    let parsed = Arn::parse(arn)?;
    if parsed.service == service {
        return Ok(parsed.name);
    }
    Err(TopologyError::new(format!("{arn:?} is no {}", service.as_str())))
}

fn topic(Topic { name, subscriptions }: Topic) -> Result<TopicSpec, TopologyError> {
    let subscription = |one: Subscription| {
        let error = |rule: &str| TopologyError::new(format!("topic {name}: {rule}"));
        if one.protocol != "sqs" || !one.raw_message_delivery {
            return Err(error("only raw delivery to queues is supported"));
        }
        let scope = match one.filter_policy_scope.as_deref() {
            None | Some("MessageAttributes") => Scope::MessageAttributes,
            Some("MessageBody") => Scope::MessageBody,
            Some(_) => return Err(error("FilterPolicyScope is MessageAttributes or MessageBody")),
        };
        let policy = one.filter_policy.as_ref().map(Pattern::parse).transpose();
        let policy = policy.map_err(|cause| error("its filter policy is wrong").because(cause))?;
        Ok(SubscriptionSpec {
            queue: named(&one.endpoint, Service::Queue)?,
            filter: policy.map(|policy| Filter { policy, scope }),
        })
    };
    let subscriptions = subscriptions.into_iter().map(subscription).collect::<Result<_, _>>()?;
    Ok(TopicSpec { name, subscriptions })
}

fn bus(bus: Bus) -> Result<BusSpec, TopologyError> {
    let rule = |Rule { name, event_pattern, targets }: Rule| {
        let pattern = Pattern::parse(&event_pattern).map_err(|error| {
            TopologyError::new(format!("rule {name}: its pattern is wrong")).because(error)
        })?;
        let targets = targets.into_iter().map(target).collect::<Result<_, _>>()?;
        Ok(RuleSpec { name, pattern, targets })
    };
    Ok(BusSpec {
        name: bus.event_bus_name,
        archive: 24 * HOUR * bus.archive_retention_days.unwrap_or(7),
        rules: bus.rules.into_iter().map(rule).collect::<Result<_, _>>()?,
    })
}

fn target(target: Target) -> Result<TargetSpec, TopologyError> {
    let path = |text: Option<String>| match text.as_deref() {
        None | Some("$") => Ok(Vec::new()),
        Some(text) => match text.strip_prefix("$.") {
            Some(names) if names.split('.').all(|name| !name.is_empty()) => {
                Ok(names.split('.').map(ToOwned::to_owned).collect())
            }
            _ => Err(TopologyError::new(format!("{text:?} is no path of member names"))),
        },
    };
    let arn = Arn::parse(&target.arn)?;
    Ok(TargetSpec {
        id: target.id,
        arn,
        input: path(target.input_path)?,
        partition_key: path(target.kinesis_parameters.map(|one| one.partition_key_path))?,
        max_retries: target.retry_policy.map_or(185, |policy| policy.maximum_retry_attempts),
        dead_letter: target
            .dead_letter_config
            .map(|config| named(&config.arn, Service::Queue))
            .transpose()?,
    })
}

fn stream(stream: Stream) -> StreamSpec {
    StreamSpec {
        name: stream.stream_name,
        shards: stream.shard_count,
        retention: stream.retention_period_hours.map_or(24 * HOUR, |hours| HOUR * hours),
    }
}
