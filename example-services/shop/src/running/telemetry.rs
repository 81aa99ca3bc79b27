use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::resource::Resource;
use obs_core::telemetry::Telemetry;
use obs_core::trace::exporter_from_environment;
use obs_emf::aggregate::Flusher;
use obs_emf::recorder::EmfRecorder;
use obs_emf::sink::LineSink;

use super::{Plan, StartError};
use crate::name::Name;

/// The namespace of the shop's own metrics, unless `AWS_EMF_NAMESPACE` names another.
pub const NAMESPACE: &str = "ShopFast";

/// How long counters and gauges are gathered: the resolution of CloudWatch's standard metrics.
const INTERVAL: Duration = Duration::from_secs(60);

/// The telemetry of a service, and what carries out its counters; dropped, that one stops.
///
/// Each service has its own identity; the process's name must not become theirs.
pub(super) fn build(plan: &Plan, name: Name) -> Result<(Telemetry, Flusher), StartError> {
    let environment = plan.environment.without("OTEL_SERVICE_NAME");
    let own = Resource::empty().with("service.name", name.as_str());
    let resource = Resource::from_environment(&environment)?.or(own);
    let deployment = resource.get("deployment.environment.name").unwrap_or("local");
    let namespace = environment.get("AWS_EMF_NAMESPACE").unwrap_or(NAMESPACE);
    let clock = Clock::system();
    let recorder = Arc::new(EmfRecorder::new(namespace, name.as_str(), deployment, clock)?);
    let mut builder = Telemetry::builder(name.as_str())
        .environment(environment.clone())
        .metrics(recorder.clone())
        .output(plan.output.clone());
    if let Some(exporters) = &plan.span_exporters {
        let also = exporter_from_environment(&environment, &resource)?;
        builder = builder.boxed_span_exporter(exporters(name, also));
    }
    let telemetry = builder.build()?;
    let sink = Arc::new(LineSink::of(&telemetry));
    let flusher = Flusher::builder(sink).drain(recorder).interval(INTERVAL).start()?;
    flusher.attach(&telemetry);
    Ok((telemetry, flusher))
}
