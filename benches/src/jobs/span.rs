//! A span of `tracing` with two fields below the span of a request, begun and ended.

use obs_core::context::RequestContext;
use obs_core::subscriber::ObsLayer;
use tracing_subscriber::layer::SubscriberExt;

use super::telemetry::telemetry;
use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("span/sampled child", || spans(true)).within(12_500, 400),
        Job::new("span/unsampled child", || spans(false)).within(12_500, 60).explained(
            "tracing's registry keeps the span, and its fields are encoded, because every line \
             within it will have them, sampled or not",
        ),
    ]
}

fn spans(sampled: bool) -> impl FnMut(u64) {
    let telemetry = telemetry(1.0);
    let context = RequestContext::builder(&telemetry).sampled(sampled).build();
    move |times| {
        let subscriber = tracing_subscriber::registry().with(ObsLayer::new());
        tracing::subscriber::with_default(subscriber, || {
            let _request = context.enter();
            children(times);
        });
    }
}

/// Begins and ends so many spans.
pub(super) fn children(times: u64) {
    for order_id in 0..times {
        let span = tracing::info_span!("read order", order_id, table = "orders");
        let entered = span.enter();
        std::hint::black_box(order_id);
        drop(entered);
    }
}
