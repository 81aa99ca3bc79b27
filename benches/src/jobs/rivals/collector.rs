//! The collector of metrics_cloudwatch_embedded, which is the recorder of the whole process.
//!
//! What a job does not touch must not be written with the events of another. So zeros are left out,
//! and jobs record by histograms what may be zero: those are written if they have got a value.

use std::sync::OnceLock;

use metrics_cloudwatch_embedded::{Builder, Collector};

pub(super) fn collector() -> &'static Collector {
    static COLLECTOR: OnceLock<&Collector> = OnceLock::new();
    COLLECTOR.get_or_init(|| {
        let builder = Builder::new().cloudwatch_namespace("bench");
        let builder = builder.with_dimension("Service", "bench");
        let collector = builder.with_dimension("Environment", "local").init();
        metrics::describe_counter!("Requests", metrics::Unit::Count, "");
        for name in ["Errors", "Faults", "InFlight"] {
            metrics::describe_histogram!(name, metrics::Unit::Count, "");
        }
        metrics::describe_histogram!("Latency", metrics::Unit::Milliseconds, "");
        metrics::describe_histogram!("ResponseSize", metrics::Unit::Bytes, "");
        collector.expect("nobody else sets a recorder")
    })
}
