//! A readiness probe answered from what is known.

use http::Request;
use obs_health::{Dependency, HealthRegistry, HealthService};
use tower::ServiceExt;

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![Job::new("health/probe, 10 dependencies", probe).within(50_000_000, 2_000)]
}

fn probe() -> impl FnMut(u64) {
    let health = (0..10)
        .fold(HealthRegistry::builder("bench"), |builder, index| {
            builder.dependency(Dependency::required(format!("dependency-{index}"), || async {}))
        })
        .build()
        .expect("the configuration is valid");
    let service = HealthService::new(health);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a current-thread runtime needs nothing that could be missing");
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let request =
                    Request::get("/ready").body(String::new()).expect("the parts are valid");
                let response = service.clone().oneshot(request).await;
                std::hint::black_box(response.unwrap_or_else(|infallible| match infallible {}));
            }
        });
    }
}
