use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use obs_core::metric::{Descriptor, Gauge, Unit};
use obs_core::telemetry::Telemetry;
use shop_domain::port::messaging::Queue;
use tokio::time::MissedTickBehavior;

/// How old the oldest message of a queue is.
pub static QUEUE_AGE: Descriptor =
    Descriptor::new("QueueAge", Unit::Milliseconds, "Age of the oldest message of a queue");

/// How many messages a receiver would get.
pub static QUEUE_DEPTH: Descriptor =
    Descriptor::new("QueueDepth", Unit::Count, "Messages of a queue that wait");

/// How many messages were received and not deleted yet.
pub static QUEUE_IN_FLIGHT: Descriptor =
    Descriptor::new("QueueInFlight", Unit::Count, "Messages of a queue that are worked on");

/// How often queues are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// A queue and what is told of it.
struct Watched {
    queue: Arc<dyn Queue>,
    age: Gauge,
    depth: Gauge,
    in_flight: Gauge,
}

/// Tells how full `queues` are, as gauges with the dimension `Queue`, at once and then every 5 s
/// until `stop` completes.
pub async fn watch(
    queues: Vec<Arc<dyn Queue>>,
    telemetry: Telemetry,
    stop: impl Future<Output = ()>,
) {
    let watched = queues.into_iter().map(|queue| Watched::new(queue, &telemetry));
    let watched: Vec<_> = watched.collect();
    let looking = async {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for one in &watched {
                one.look().await;
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = telemetry.scope(looking) => {}
    }
}

impl Watched {
    fn new(queue: Arc<dyn Queue>, telemetry: &Telemetry) -> Self {
        // The queue before a target of a rule is called `rule/target`; no dimension has a slash.
        let name = queue.name().replace('/', ".");
        let gauge = |metric| telemetry.recorder().gauge(metric, &[("Queue", &name)]);
        let (age, depth) = (gauge(&QUEUE_AGE), gauge(&QUEUE_DEPTH));
        Self { age, depth, in_flight: gauge(&QUEUE_IN_FLIGHT), queue }
    }

    async fn look(&self) {
        match self.queue.depth().await {
            Ok(depth) => {
                self.age.set(depth.oldest_age_ms as f64);
                self.depth.set((depth.visible + depth.delayed) as f64);
                self.in_flight.set(depth.in_flight as f64);
            }
            Err(error) => tracing::warn!(queue = self.queue.name(), %error, "depth is not known"),
        }
    }
}
