//! What an event costs in allocations.

use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::environment::Environment;
use obs_core::output::Output;
use obs_core::subscriber::ObsLayer;
use obs_core::telemetry::Telemetry;
use tracing_subscriber::layer::SubscriberExt;

fn event(number: u64) {
    tracing::info!(order = "o-17", items = number, price = 9.75, paid = true, "order placed");
}

#[test]
fn an_event_in_a_request_does_not_allocate() {
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(Output::writer(std::io::sink()))
        .build()
        .expect("nothing is configured");
    let subscriber = tracing_subscriber::registry().with(ObsLayer::alone());
    tracing::subscriber::with_default(subscriber, || {
        let request = RequestContext::builder(&telemetry).build();
        let _entered = request.enter();
        let span = tracing::info_span!("checkout", cart = "c-1");
        let _span = span.enter();
        // The thread's buffer, the first chunks of the queue and the writer thread come first.
        for number in 0..2_000 {
            event(number);
        }
        assert!(telemetry.flush(Duration::from_secs(30)));
        let counted = allocation_counter::measure(|| (0..100).for_each(event));
        assert_eq!(counted.count_total, 0, "{counted:?}");
    });
    let report = telemetry.shutdown(Duration::from_secs(30));
    assert_eq!(report.report.lines.written, 2_100);
}
