//! Alarms of what lies between the services, in the two tiers of those of the services, and
//! composites over both.

use obs_emf::request::{ENVIRONMENT, SERVICE};
use serde_json::{Map, Value, json};
use shop_contracts::Topology;

use super::Place;
use super::overview::{HIT_RATE, cache_metric};
use crate::name::Name;
use crate::running::NAMESPACE;

/// Who is to learn of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tier {
    Warning,
    Critical,
}

/// An alarm, without what all have in common.
struct Alarm {
    id: String,
    name: String,
    tier: Tier,
    properties: Value,
}

/// The alarm that is on while somebody practises: its operators know what they do.
const DRILL: &str = "shopfast-drill";

/// The tables on DynamoDB.
const TABLES: [&str; 3] = ["shopfast-products", "shopfast-orders", "shopfast-inventory"];

/// The limit of the product function, in milliseconds, of which four fifths are too much.
const FUNCTION_TIMEOUT_MS: f64 = 3_000.0;

/// How long a message may wait, in seconds.
const LAG_S: u32 = 60;

/// The services whose calls make an order.
const ORDER_PATH: [Name; 2] = [Name::Gateway, Name::Order];

/// The queues that messages are taken from, in the order of the contracts.
pub(super) fn queues() -> Vec<String> {
    let topology = Topology::embedded().map(|topology| topology.queues).unwrap_or_default();
    topology.into_iter().map(|queue| queue.name).collect()
}

fn is_dead_letter(queue: &str) -> bool {
    queue.trim_end_matches(".fifo").ends_with("-dlq")
}

/// The names of the alarms that a person looks at first.
pub(super) fn names(place: &Place) -> Vec<String> {
    let mut names = vec!["shopfast-order-path-critical".into(), "shopfast-degraded-warning".into()];
    names.extend(alarms(place).into_iter().map(|alarm| alarm.name));
    names
}

fn alarms(place: &Place) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let mut add = |tier, id: String, name: String, properties| {
        alarms.push(Alarm { id, name, tier, properties });
    };
    for queue in queues() {
        let id = camel(&queue);
        if is_dead_letter(&queue) {
            let properties = of_queue(&queue, "ApproximateNumberOfMessagesVisible", 0, 1);
            add(Tier::Critical, format!("Dead{id}"), format!("shopfast-dead-{id}"), properties);
        } else {
            let properties = of_queue(&queue, "ApproximateAgeOfOldestMessage", LAG_S, 3);
            add(Tier::Warning, format!("Lag{id}"), format!("shopfast-lag-{id}"), properties);
        }
    }
    for service in [Name::Product, Name::Menu] {
        let id = format!("HitRate{}", camel(service.as_str()));
        add(Tier::Warning, id, format!("shopfast-hit-rate-{service}"), hit_rate(place, service));
    }
    add(
        Tier::Warning,
        "ProductDuration".into(),
        "shopfast-product-duration".into(),
        product_duration(),
    );
    for table in TABLES {
        let id = format!("Throttled{}", camel(table));
        add(Tier::Warning, id, format!("{table}-throttled"), throttled(table));
    }
    for (caller, called) in [(Name::Gateway, Name::Order), (Name::Order, Name::Inventory)] {
        let id = format!("Breaker{}{}", camel(caller.as_str()), camel(called.as_str()));
        let name = format!("shopfast-breaker-{caller}-{called}");
        add(Tier::Warning, id, name, breaker_open(place, caller, called));
    }
    for service in ORDER_PATH {
        let id = format!("LinesDropped{}", camel(service.as_str()));
        let name = format!("shopfast-lines-dropped-{service}");
        add(Tier::Warning, id, name, lines_dropped(place, service));
    }
    alarms
}

fn of_queue(queue: &str, metric: &str, limit: u32, periods: u32) -> Value {
    json!({
        "AlarmDescription": format!("{metric} of {queue} is above {limit}"),
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": limit,
        "EvaluationPeriods": periods,
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Dimensions": [{ "Name": "QueueName", "Value": queue }],
        "Statistic": "Maximum",
        "Period": 60,
    })
}

fn hit_rate(place: &Place, service: Name) -> Value {
    let metric = |id: &str, name: &str| {
        let [namespace, name, rest @ ..] = cache_metric(place, service, name);
        let dimensions: Vec<_> =
            rest.chunks(2).map(|pair| json!({ "Name": pair[0], "Value": pair[1] })).collect();
        let metric =
            json!({ "Namespace": namespace, "MetricName": name, "Dimensions": dimensions });
        let stat = json!({ "Metric": metric, "Period": 300, "Stat": "Sum" });
        json!({ "Id": id, "ReturnData": false, "MetricStat": stat })
    };
    json!({
        "AlarmDescription": format!("less than {HIT_RATE} % of the reads were answered by the cache"),
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": HIT_RATE,
        "EvaluationPeriods": 3,
        "Metrics": [
            // A hundred reads tell something; a handful after a start does not.
            {
                "Id": "rate",
                "Expression": "IF(m1+m2 >= 100, 100*m1/(m1+m2), 100)",
                "ReturnData": true,
            },
            metric("m1", shop_kit::cached::CACHE_HITS.name),
            metric("m2", shop_kit::cached::CACHE_MISSES.name),
        ],
    })
}

fn product_duration() -> Value {
    let limit = FUNCTION_TIMEOUT_MS * 0.8;
    json!({
        "AlarmDescription": format!("p99 is above {limit} ms, four fifths of the function's limit"),
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": limit,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": [{ "Name": "FunctionName", "Value": "shopfast-product-service" }],
        "ExtendedStatistic": "p99",
        "Period": 60,
    })
}

fn throttled(table: &str) -> Value {
    let metric = |id: &str, name: &str| {
        let dimensions = json!([{ "Name": "TableName", "Value": table }]);
        let metric =
            json!({ "Namespace": "AWS/DynamoDB", "MetricName": name, "Dimensions": dimensions });
        let stat = json!({ "Metric": metric, "Period": 60, "Stat": "Sum" });
        json!({ "Id": id, "ReturnData": false, "MetricStat": stat })
    };
    json!({
        "AlarmDescription": format!("requests to {table} were throttled"),
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "EvaluationPeriods": 3,
        "Metrics": [
            { "Id": "both", "Expression": "FILL(m1,0)+FILL(m2,0)", "ReturnData": true },
            metric("m1", "ReadThrottleEvents"),
            metric("m2", "WriteThrottleEvents"),
        ],
    })
}

fn of_shop(place: &Place, service: Name, labels: &[(&str, &str)]) -> Value {
    let own = [(SERVICE, service.as_str()), (ENVIRONMENT, place.environment.as_str())];
    let all = own.into_iter().chain(labels.iter().copied());
    all.map(|(name, value)| json!({ "Name": name, "Value": value })).collect()
}

fn breaker_open(place: &Place, caller: Name, called: Name) -> Value {
    let labels = [("CircuitBreaker", called.as_str()), ("State", "open")];
    json!({
        "AlarmDescription": format!("{caller} has stopped calling {called}"),
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "EvaluationPeriods": 2,
        "Namespace": NAMESPACE,
        "MetricName": "CircuitBreakerState",
        "Dimensions": of_shop(place, caller, &labels),
        "Statistic": "Maximum",
        "Period": 60,
    })
}

fn lines_dropped(place: &Place, service: Name) -> Value {
    json!({
        "AlarmDescription": format!("lines of {service} were lost: what is seen is not all"),
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "EvaluationPeriods": 1,
        "Namespace": NAMESPACE,
        "MetricName": "LinesDropped",
        "Dimensions": of_shop(place, service, &[("Reason", "queue_full")]),
        "Statistic": "Sum",
        "Period": 300,
    })
}

/// Everything as a CloudFormation template.
pub(super) fn template(place: &Place) -> Value {
    let alarms = alarms(place);
    let mut resources = Map::new();
    for Alarm { id, name, tier, properties } in &alarms {
        resources.insert(id.clone(), resource(name, *tier, properties.clone()));
    }
    resources.insert("Drill".into(), drill());
    resources.insert("OrderPathCritical".into(), order_path(place, &alarms));
    resources.insert("DegradedWarning".into(), degraded(&alarms));
    let topic = |tier: &str| {
        let text = format!("The SNS topic of {tier} alarms; empty: none");
        json!({ "Type": "String", "Default": "", "Description": text })
    };
    let given =
        |parameter: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What watches the shop between its services; needs the templates of these",
        "Parameters": {
            "WarningTopicArn": topic("warning"),
            "CriticalTopicArn": topic("critical"),
        },
        "Conditions": {
            "HasWarningTopic": given("WarningTopicArn"),
            "HasCriticalTopic": given("CriticalTopicArn"),
        },
        "Resources": resources,
    })
}

fn resource(name: &str, tier: Tier, mut properties: Value) -> Value {
    properties["AlarmName"] = json!(name);
    properties["TreatMissingData"] = json!("notBreaching");
    properties["AlarmActions"] = actions(tier);
    json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": properties })
}

fn actions(tier: Tier) -> Value {
    let (condition, topic) = match tier {
        Tier::Warning => ("HasWarningTopic", "WarningTopicArn"),
        Tier::Critical => ("HasCriticalTopic", "CriticalTopicArn"),
    };
    json!({ "Fn::If": [condition, [{ "Ref": topic }], { "Ref": "AWS::NoValue" }] })
}

/// On while operational events, such as those of a drill, come over the bus.
fn drill() -> Value {
    json!({
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": DRILL,
            "AlarmDescription": "somebody practises: operational events come over the bus",
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "EvaluationPeriods": 10,
            "DatapointsToAlarm": 1,
            "Namespace": "AWS/Events",
            "MetricName": "MatchedEvents",
            "Dimensions": [
                { "Name": "EventBusName", "Value": "shopfast-events" },
                { "Name": "RuleName", "Value": "operational-events" },
            ],
            "Statistic": "Sum",
            "Period": 60,
            "TreatMissingData": "notBreaching",
        },
    })
}

fn is_on(name: impl std::fmt::Display) -> String {
    format!("ALARM(\"{name}\")")
}

/// Customers cannot order, and something says why: requests fail while they are slow or messages
/// die. Not while somebody practises.
fn order_path(place: &Place, alarms: &[Alarm]) -> Value {
    let environment = &place.environment;
    let of_path = |what: &str| {
        let names = ORDER_PATH.map(|service| is_on(format!("{service}-{environment}-{what}")));
        names.join(" OR ")
    };
    let dead: Vec<_> = alarms.iter().filter(|alarm| alarm.tier == Tier::Critical).collect();
    let dying = dead.iter().map(|alarm| is_on(&alarm.name)).collect::<Vec<_>>().join(" OR ");
    let (failing, slow) = (of_path("availability-critical"), of_path("latency-critical"));
    let rule = format!("({failing}) AND ({slow} OR {dying}) AND NOT {}", is_on(DRILL));
    let parts: Vec<_> = dead.iter().map(|alarm| alarm.id.as_str()).chain(["Drill"]).collect();
    composite("shopfast-order-path-critical", Tier::Critical, &rule, &parts)
}

/// Two warnings or more at a time: one alone is a matter of the next morning.
fn degraded(alarms: &[Alarm]) -> Value {
    let warnings: Vec<_> = alarms.iter().filter(|alarm| alarm.tier == Tier::Warning).collect();
    // The first, and one of those after it; or the second, and one of those after it; and so on.
    let pairs = warnings.iter().enumerate().filter_map(|(number, first)| {
        let others: Vec<_> =
            warnings[number + 1..].iter().map(|other| is_on(&other.name)).collect();
        let others = (!others.is_empty()).then(|| others.join(" OR "))?;
        Some(format!("({} AND ({others}))", is_on(&first.name)))
    });
    let rule = pairs.collect::<Vec<_>>().join(" OR ");
    let parts: Vec<_> = warnings.iter().map(|alarm| alarm.id.as_str()).collect();
    composite("shopfast-degraded-warning", Tier::Warning, &rule, &parts)
}

fn composite(name: &str, tier: Tier, rule: &str, parts: &[&str]) -> Value {
    json!({
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "DependsOn": parts,
        "Properties": { "AlarmName": name, "AlarmRule": rule, "AlarmActions": actions(tier) },
    })
}

/// `shopfast-order-dlq` as `ShopfastOrderDlq`.
fn camel(name: &str) -> String {
    let words = name.split(|char: char| !char.is_ascii_alphanumeric());
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    words.map(word).collect()
}
