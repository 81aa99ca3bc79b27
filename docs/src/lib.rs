//! The guides of the suite. Each is mounted as a module, so that its code is compiled and run by
//! `cargo test --package obs-docs`.

#[doc = include_str!("../../README.md")]
pub mod readme {}

#[doc = include_str!("../architecture.md")]
pub mod architecture {}

/// One page for each task.
pub mod guides {
    #[doc = include_str!("../guides/axum.md")]
    pub mod axum {}
    #[doc = include_str!("../guides/compile-errors.md")]
    pub mod compile_errors {}
    #[doc = include_str!("../guides/cost.md")]
    pub mod cost {}
    #[doc = include_str!("../guides/dashboards.md")]
    pub mod dashboards {}
    #[doc = include_str!("../guides/ecs.md")]
    pub mod ecs {}
    #[doc = include_str!("../guides/eks.md")]
    pub mod eks {}
    #[doc = include_str!("../guides/from-metrics.md")]
    pub mod from_metrics {}
    #[doc = include_str!("../guides/from-powertools.md")]
    pub mod from_powertools {}
    #[doc = include_str!("../guides/from-tower-http.md")]
    pub mod from_tower_http {}
    #[doc = include_str!("../guides/from-tower-resilience.md")]
    pub mod from_tower_resilience {}
    #[doc = include_str!("../guides/health.md")]
    pub mod health {}
    #[doc = include_str!("../guides/lambda.md")]
    pub mod lambda {}
    #[doc = include_str!("../guides/otlp.md")]
    pub mod otlp {}
    #[doc = include_str!("../guides/outgoing-calls.md")]
    pub mod outgoing_calls {}
    #[doc = include_str!("../guides/rate-limits.md")]
    pub mod rate_limits {}
    #[doc = include_str!("../guides/resilience.md")]
    pub mod resilience {}
    #[doc = include_str!("../guides/sqs-worker.md")]
    pub mod sqs_worker {}
    #[doc = include_str!("../guides/troubleshooting.md")]
    pub mod troubleshooting {}
}
