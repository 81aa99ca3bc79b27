use obs_core::metric::Unit;
use serde_json::{Value, json};

use super::Watch;
use crate::declare::{Metric, Shape};
use crate::request::{ENVIRONMENT, METHOD, ROUTE, SERVICE};

/// CloudWatch's grid is 24 columns wide.
const COLUMNS: u64 = 24;
const HEIGHT: u64 = 6;

impl Watch {
    /// The body of the dashboard: the objectives with their target lines, traffic by route, the
    /// alarms, what the service runs on, its own events, and the requests that failed. Unless
    /// [`place`](Self::place) was called it has the parameters of a template in it.
    #[must_use]
    pub fn dashboard(&self) -> Value {
        let mut widgets = vec![
            self.availability_widget(),
            self.latency_widget(),
            self.errors_widget(),
            self.traffic_widget(),
        ];
        widgets.push(json!({
            "type": "alarm",
            "properties": {
                "title": "Alarms",
                "alarms": self.alarm_names().iter().map(|name| self.alarm_arn(name)).collect::<Vec<_>>(),
            },
        }));
        for resource in &self.resources {
            let mut metric = vec![json!(resource.namespace), json!(resource.metric)];
            for (name, value) in &resource.dimensions {
                metric.extend([json!(name), json!(value)]);
            }
            widgets.push(self.graph(&resource.metric, vec![Value::Array(metric)], &[]));
        }
        for shape in &self.shapes {
            for metric in shape.metrics() {
                widgets.push(self.event_widget(shape, metric));
            }
        }
        for (title, query) in self.queries() {
            if let Some(log_group) = &self.log_group {
                widgets.push(json!({
                    "type": "log",
                    "properties": {
                        "title": title,
                        "region": self.place.region,
                        "view": "table",
                        "query": format!("SOURCE '{log_group}' | {query}"),
                    },
                }));
            }
        }
        json!({ "widgets": laid_out(widgets) })
    }

    fn availability_widget(&self) -> Value {
        let metrics = vec![
            json!([{
                "expression": "100 - (m2/m1*100)",
                "id": "availability",
                "label": "Availability",
            }]),
            self.metric("Requests", json!({ "id": "m1", "stat": "Sum", "visible": false })),
            self.metric("Faults", json!({ "id": "m2", "stat": "Sum", "visible": false })),
        ];
        self.graph("Availability (%)", metrics, &[("Objective", self.availability)])
    }

    fn latency_widget(&self) -> Value {
        let (limit, percentile) = self.latency;
        let objective = format!("p{percentile}");
        let metrics = ["p50", "p90", objective.as_str(), "p99.9"]
            .iter()
            .map(|stat| self.metric("Latency", json!({ "stat": stat, "label": stat })))
            .collect();
        self.graph("Latency (ms)", metrics, &[(&format!("Objective at {objective}"), limit)])
    }

    fn errors_widget(&self) -> Value {
        let metrics = vec![
            json!([{ "expression": "e1/e3*100", "id": "errors", "label": "4xx" }]),
            json!([{ "expression": "e2/e3*100", "id": "faults", "label": "5xx" }]),
            self.metric("Errors", json!({ "id": "e1", "stat": "Sum", "visible": false })),
            self.metric("Faults", json!({ "id": "e2", "stat": "Sum", "visible": false })),
            self.metric("Requests", json!({ "id": "e3", "stat": "Sum", "visible": false })),
        ];
        self.graph("Error rate (%)", metrics, &[("Error budget", 100.0 - self.availability)])
    }

    fn traffic_widget(&self) -> Value {
        let names =
            [SERVICE, ENVIRONMENT, METHOD, ROUTE].map(|name| format!("\"{name}\"")).join(",");
        let expression = format!(
            "SEARCH('{{\"{}\",{names}}} MetricName=\"Requests\" {SERVICE}=\"{}\" {ENVIRONMENT}=\"{}\"', 'Sum')",
            self.namespace, self.service, self.environment,
        );
        let metrics = vec![json!([{ "expression": expression, "id": "routes", "label": "" }])];
        self.graph("Requests by route", metrics, &[])
    }

    /// A metric of the service as a dashboard writes it.
    fn metric(&self, name: &str, options: Value) -> Value {
        json!([self.namespace, name, SERVICE, self.service, ENVIRONMENT, self.environment, options])
    }

    /// A metric of the service's own, by the dimensions of its first set.
    fn event_widget(&self, shape: &Shape, metric: &Metric) -> Value {
        let set = shape.dimension_sets().next().unwrap_or_default();
        let stat = match metric.unit() {
            Unit::Count => "Sum",
            Unit::Seconds | Unit::Milliseconds | Unit::Microseconds | Unit::Bytes => "p99",
            _ => "Average",
        };
        let name = metric.name();
        let schema: Vec<String> = std::iter::once(shape.namespace())
            .chain(set)
            .map(|part| format!("\"{}\"", part.replace('"', "")))
            .collect();
        let schema = schema.join(",");
        let expression = format!("SEARCH('{{{schema}}} MetricName=\"{name}\"', '{stat}')");
        let metrics = vec![json!([{ "expression": expression, "id": "events", "label": "" }])];
        self.graph(&format!("{name} ({stat})"), metrics, &[])
    }

    fn graph(&self, title: &str, metrics: Vec<Value>, lines: &[(&str, f64)]) -> Value {
        let lines: Vec<_> =
            lines.iter().map(|(label, value)| json!({ "label": label, "value": value })).collect();
        json!({
            "type": "metric",
            "properties": {
                "title": title,
                "region": self.place.region,
                "view": "timeSeries",
                "period": 60,
                "metrics": metrics,
                "annotations": { "horizontal": lines },
            },
        })
    }
}

/// Two widgets in each row.
fn laid_out(mut widgets: Vec<Value>) -> Vec<Value> {
    for (index, widget) in widgets.iter_mut().enumerate() {
        let index = index as u64;
        if let Some(widget) = widget.as_object_mut() {
            widget.insert("x".to_owned(), json!(index % 2 * (COLUMNS / 2)));
            widget.insert("y".to_owned(), json!(index / 2 * HEIGHT));
            widget.insert("width".to_owned(), json!(COLUMNS / 2));
            widget.insert("height".to_owned(), json!(HEIGHT));
        }
    }
    widgets
}
