//! Fields and dimensions of a request's line.

use axum::Router;
use axum::routing::get;
use obs_core::context::RequestContext;
use obs_tower::observe::ObserveLayer;

use super::{Axis, Series};
use crate::service::telemetry::telemetry;
use crate::service::{bare, calls};

/// Fields that the handler records.
pub(super) fn fields() -> Axis {
    let series = Series::new("observed", |fields| {
        let names: Vec<String> =
            (0..fields).map(|field| format!("field_of_handler_{field}")).collect();
        let handler = async move || {
            RequestContext::with_current(|request| {
                for (name, value) in names.iter().zip(0_u64..) {
                    request.record(name, value);
                }
            });
            "recorded"
        };
        let router = Router::new().route("/orders/{id}", get(handler));
        calls(router.layer(ObserveLayer::new(telemetry(1.0))))
    });
    Axis { name: "fields", points: &[0, 1, 2, 4, 8, 16, 32], series: vec![series] }
}

/// Dimensions that the layer declares beyond its own.
pub(super) fn dimensions() -> Axis {
    const NAMES: [&str; 16] = [
        "Region",
        "Zone",
        "Cluster",
        "Host",
        "Stage",
        "Team",
        "Version",
        "Build",
        "Tier",
        "Cell",
        "Shard",
        "Runtime",
        "Fleet",
        "Partition",
        "Account",
        "Product",
    ];
    let series = Series::new("observed", |dimensions| {
        let names = NAMES.into_iter().take(dimensions as usize);
        let layer = names.fold(ObserveLayer::builder(telemetry(1.0)), |layer, name| {
            layer.dimension(name, "value")
        });
        calls(bare().layer(layer.build().expect("the dimensions are few enough")))
    });
    Axis { name: "dimensions", points: &[0, 1, 2, 4, 8, 16], series: vec![series] }
}
