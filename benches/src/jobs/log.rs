//! One event with four fields, inside a request.

use obs_core::context::RequestContext;
use obs_core::subscriber::ObsLayer;
use tracing_subscriber::layer::SubscriberExt;

use super::telemetry::telemetry;
use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![Job::new("log/event with 4 fields", event).within(12_000, 250).instructions(3_700)]
}

fn event() -> impl FnMut(u64) {
    let telemetry = telemetry(0.0);
    let context = RequestContext::builder(&telemetry).build();
    move |times| {
        // The subscriber belongs to the thread for as long as the job runs, and no longer.
        let subscriber = tracing_subscriber::registry().with(ObsLayer::new());
        tracing::subscriber::with_default(subscriber, || {
            let _request = context.enter();
            for order_id in 0..times {
                tracing::info!(
                    order_id,
                    user = "user-42",
                    total = 12.5,
                    express = true,
                    "order placed"
                );
            }
        });
    }
}
