use obs_core::config::ConfigError;
use obs_emf::request::{ENVIRONMENT, SERVICE};
use serde_json::{Value, json};

use super::{Place, alarms, watch};
use crate::name::Name;
use crate::running::NAMESPACE;

/// CloudWatch's grid is 24 columns wide.
const COLUMNS: u64 = 24;
const HEIGHT: u64 = 6;

/// The hit rate below which a cache does not do its work, in percent.
pub(super) const HIT_RATE: f64 = 80.0;

/// The dashboard of the whole shop: how customers fare at the gateway and with their orders, the
/// alarms, what the business does, caches, queues, and the lines of what failed.
pub(super) fn body(place: &Place) -> Result<Value, ConfigError> {
    let mut widgets = Vec::new();
    for service in [Name::Gateway, Name::Order] {
        let watch = watch(service, place)?.place(&place.region, &place.account);
        let mut dashboard = watch.dashboard();
        let own = dashboard["widgets"].as_array_mut().map(std::mem::take).unwrap_or_default();
        widgets.extend(own.into_iter().map(|widget| titled(widget, service)));
    }
    widgets.push(json!({
        "type": "alarm",
        "properties": {
            "title": "The shop's alarms",
            "alarms": alarms::names(place).iter().map(|name| arn(place, name)).collect::<Vec<_>>(),
        },
    }));
    for service in [Name::Product, Name::Menu] {
        widgets.push(hit_rate(place, service));
    }
    for (title, metric, label) in [
        ("Payments by outcome", shop_payment::PAYMENT_OUTCOME.name, "Outcome"),
        ("Cold starts", shop_payment::COLD_STARTS.name, "Function"),
        ("Messages to customers", shop_notification::NOTIFICATIONS_SENT.name, "Channel"),
        ("Requests about carts", shop_cart::CART_OPERATIONS.name, "Operation"),
    ] {
        widgets.push(graph(place, title, vec![searched(metric, label)], &[]));
    }
    widgets.push(queues(place));
    widgets.push(graph(
        place,
        "Pages served by CloudFront (%)",
        vec![json!([
            "AWS/CloudFront",
            "CacheHitRate",
            "DistributionId",
            "shopfast",
            "Region",
            "Global"
        ])],
        &[],
    ));
    Ok(json!({ "widgets": laid_out(widgets) }))
}

fn arn(Place { region, account, .. }: &Place, name: &str) -> String {
    format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}")
}

fn titled(mut widget: Value, service: Name) -> Value {
    if let Some(title) = widget["properties"]["title"].as_str() {
        widget["properties"]["title"] = json!(format!("{service}: {title}"));
    }
    widget
}

/// Every series of a metric of the shop's own.
fn searched(metric: &str, label: &str) -> Value {
    let schema =
        [NAMESPACE, SERVICE, ENVIRONMENT, label].map(|name| format!("\"{name}\"")).join(",");
    let expression = format!("SEARCH('{{{schema}}} MetricName=\"{metric}\"', 'Sum')");
    json!([{ "expression": expression, "id": "all", "label": "" }])
}

/// A metric about the cache of a service.
pub(super) fn cache_metric(place: &Place, service: Name, metric: &str) -> [Value; 8] {
    let environment = place.environment.as_str();
    let service = service.as_str();
    [NAMESPACE, metric, SERVICE, service, ENVIRONMENT, environment, "Cache", service]
        .map(|text| json!(text))
}

fn hit_rate(place: &Place, service: Name) -> Value {
    let metric = |id: &str, name: &str| {
        let mut row = cache_metric(place, service, name).to_vec();
        row.push(json!({ "id": id, "stat": "Sum", "visible": false }));
        Value::Array(row)
    };
    let rows = vec![
        json!([{ "expression": "100*m1/(m1+m2)", "id": "rate", "label": "Hit rate" }]),
        metric("m1", shop_kit::cached::CACHE_HITS.name),
        metric("m2", shop_kit::cached::CACHE_MISSES.name),
    ];
    let title = format!("{service}: cache hit rate (%)");
    graph(place, &title, rows, &[("Objective", HIT_RATE)])
}

/// How long the oldest message of each queue has waited.
fn queues(place: &Place) -> Value {
    let queues = alarms::queues();
    let rows = queues.iter().map(|queue| {
        json!(["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, { "stat": "Maximum" }])
    });
    graph(place, "Age of the oldest message (s)", rows.collect(), &[])
}

pub(super) fn graph(
    place: &Place,
    title: &str,
    metrics: Vec<Value>,
    lines: &[(&str, f64)],
) -> Value {
    let lines: Vec<_> =
        lines.iter().map(|(label, value)| json!({ "label": label, "value": value })).collect();
    json!({
        "type": "metric",
        "properties": {
            "title": title,
            "region": place.region,
            "view": "timeSeries",
            "period": 60,
            "metrics": metrics,
            "annotations": { "horizontal": lines },
        },
    })
}

/// Two widgets in each row.
pub(super) fn laid_out(mut widgets: Vec<Value>) -> Vec<Value> {
    for (index, widget) in (0..).zip(&mut widgets) {
        widget["x"] = json!(index % 2 * (COLUMNS / 2));
        widget["y"] = json!(index / 2 * HEIGHT);
        widget["width"] = json!(COLUMNS / 2);
        widget["height"] = json!(HEIGHT);
    }
    widgets
}
