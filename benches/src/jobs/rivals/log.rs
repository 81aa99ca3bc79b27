//! The event of `log/event with 4 fields`, in a span that holds the ids of a request.

use tracing_subscriber::layer::SubscriberExt;

use crate::Job;
use crate::sink::Counted;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rival/log event by tracing-subscriber json", event)
            .instead_of("log/event with 4 fields"),
    ]
}

fn event() -> impl FnMut(u64) {
    move |times| {
        let json = tracing_subscriber::fmt::layer().json().with_writer(|| Counted);
        let subscriber = tracing_subscriber::registry().with(json.flatten_event(true));
        tracing::subscriber::with_default(subscriber, || {
            let request = tracing::info_span!(
                "request",
                correlation_id = "01a1fc1e-db49-71ca-b932-6cb504fe6bde",
                trace_id = "6b010e0b4eaa85402253c1cfa32ace81",
                span_id = "ba4034fee9c10c03",
                xray_trace_id = "1-6b010e0b-4eaa85402253c1cfa32ace81",
            );
            let _entered = request.enter();
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
