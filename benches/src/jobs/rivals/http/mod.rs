//! A whole request by what a user would take instead: ids that are made and echoed, one line with
//! the fields of ours, metrics in EMF, a span through a batch processor into an exporter.

mod guards;
mod only;
mod spans;
mod tuned;
mod usual;

use axum::Router;
use obs_core::output::Output;
use tracing::Dispatch;

use crate::Job;
use crate::service::{bare, by_hand, calls};
use crate::sink::Counted;

const BARE: &str = "http/bare";

pub(super) fn jobs() -> Vec<Job> {
    let rival = |name, ours, start: fn() -> Box<dyn FnMut(u64)>| {
        Job::new(name, start).beyond(BARE).instead_of(ours)
    };
    vec![
        rival("rival/usual stack, all", "observed/every request sampled", || {
            Box::new(usual::calls(bare(), 1.0))
        }),
        rival("rival/usual stack, 5 %", "observed/5 % sampled", || {
            Box::new(usual::calls(bare(), 0.05))
        })
        .unsteady(),
        rival("rival/usual stack, none", "observed/none sampled", || {
            Box::new(usual::calls(bare(), 0.0))
        }),
        rival("rival/tuned stack, all", "observed/every request sampled", || {
            Box::new(tuned::observed(1.0))
        }),
        rival("rival/tuned stack, 5 %", "observed/5 % sampled", || Box::new(tuned::observed(0.05)))
            .unsteady(),
        rival("rival/tuned stack, none", "observed/none sampled", || {
            Box::new(tuned::observed(0.0))
        }),
        rival("rival/by hand", "observed/none sampled", || {
            Box::new(calls(by_hand(bare(), Output::writer(Counted))))
        }),
        rival("rival/tower-http TraceLayer", "observed/line only", || Box::new(only::tower_http())),
        rival("rival/axum-tracing-opentelemetry", "observed/span only", || {
            Box::new(only::axum_tracing_opentelemetry())
        }),
        rival("rival/opentelemetry-instrumentation-tower", "observed/span only", || {
            Box::new(only::opentelemetry_instrumentation_tower())
        }),
        rival("rival/fastrace-axum", "observed/span only", || Box::new(only::fastrace_axum())),
        rival("rival/usual chain, all", "chain/with rate-limit headers", || {
            Box::new(usual::calls(guards::usual(bare()), 1.0))
        }),
        rival("rival/tuned chain, all", "chain/every request sampled", || {
            Box::new(tuned::chained(1.0))
        }),
        rival("rival/tuned chain, none", "chain/none sampled", || Box::new(tuned::chained(0.0))),
    ]
}

/// Calls `router` with `subscriber` set for the thread.
fn calls_under(subscriber: impl Into<Dispatch>, router: Router) -> impl FnMut(u64) {
    let subscriber = subscriber.into();
    let mut calls = calls(router);
    move |times| tracing::dispatcher::with_default(&subscriber, || calls(times))
}
