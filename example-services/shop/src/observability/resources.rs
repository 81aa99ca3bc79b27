use serde_json::{Value, json};

use super::Place;
use super::overview::graph;
use crate::name::Name;

/// A metric of AWS's about what a service runs on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resource {
    pub(super) namespace: &'static str,
    pub(super) metric: &'static str,
    pub(super) dimensions: Vec<(&'static str, &'static str)>,
}

fn ecs(metric: &'static str) -> Resource {
    let dimensions = vec![("ClusterName", "shopfast"), ("ServiceName", "shopfast-order-service")];
    Resource { namespace: "AWS/ECS", metric, dimensions }
}

/// Container Insights, by the service that the pods are behind.
fn pod(metric: &'static str, service: &'static str) -> Resource {
    let dimensions =
        vec![("ClusterName", "shopfast"), ("Namespace", "shopfast"), ("Service", service)];
    Resource { namespace: "ContainerInsights", metric, dimensions }
}

fn group(metric: &'static str, name: &'static str) -> Resource {
    Resource { namespace: "AWS/EC2", metric, dimensions: vec![("AutoScalingGroupName", name)] }
}

/// What tells how far a service is from what it was given.
pub(super) fn of(service: Name) -> Vec<Resource> {
    match service {
        Name::Order => vec![ecs("CPUUtilization"), ecs("MemoryUtilization")],
        Name::Inventory | Name::Menu | Name::Cart => {
            let name = match service {
                Name::Inventory => "inventory-service",
                Name::Menu => "menu-service",
                _ => "cart-service",
            };
            vec![pod("pod_cpu_utilization", name), pod("pod_memory_utilization", name)]
        }
        Name::Product => function_of("shopfast-product-service"),
        Name::Payment => function_of("cloudcafe-payment-processor"),
        Name::Notification => function_of("shopfast-notification-handler"),
        Name::Loyalty => vec![group("CPUUtilization", "cloudcafe-loyalty-service")],
        Name::Analytics => vec![group("CPUUtilization", "cloudcafe-analytics-worker")],
        Name::Gateway | Name::Shipping => Vec::new(),
    }
}

fn function_of(name: &'static str) -> Vec<Resource> {
    let dimensions = vec![("FunctionName", name)];
    ["Duration", "ConcurrentExecutions", "Throttles"]
        .map(|metric| Resource { namespace: "AWS/Lambda", metric, dimensions: dimensions.clone() })
        .to_vec()
}

/// The dashboard from which capacity is planned: one graph per service and metric.
pub(super) fn body(place: &Place) -> Value {
    let mut widgets = Vec::new();
    for service in Name::ALL {
        for Resource { namespace, metric, dimensions } in of(service) {
            let mut row = vec![json!(namespace), json!(metric)];
            row.extend(
                dimensions.into_iter().flat_map(|(name, value)| [json!(name), json!(value)]),
            );
            let percent = metric.to_lowercase().contains("utilization");
            // At four fifths it is time for more, at a fifth for less.
            let lines: &[(&str, f64)] =
                if percent { &[("Scale out", 80.0), ("Scale in", 20.0)] } else { &[] };
            let title = format!("{service}: {metric}");
            widgets.push(graph(place, &title, vec![Value::Array(row)], lines));
        }
    }
    json!({ "widgets": super::overview::laid_out(widgets) })
}
