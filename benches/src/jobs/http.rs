//! A request through an axum router in the process: bare, observed, and behind the whole chain.

use axum::Router;
use obs_ratelimit::Headers;
use obs_tower::observe::{ObserveLayer, ObserveLayerBuilder};

use crate::Job;
use crate::service::telemetry::telemetry;
use crate::service::{bare, calls, guard};
use crate::two_threads::two_threads;

const BARE: &str = "http/bare";
const BARE_TWICE: &str = "http/bare, two threads";

/// The jobs of this file.
pub(super) fn jobs() -> Vec<Job> {
    let passing = || bare().layer(tower::layer::util::Identity::new());
    let mut jobs = vec![
        Job::new(BARE, || calls(bare())),
        Job::new(BARE_TWICE, || twice(bare())).shared(),
        Job::new("http/pass-through", move || calls(passing())).beyond(BARE),
    ];
    jobs.extend(observed());
    jobs.extend(chain());
    jobs
}

/// The observing layer: line with metrics, and span.
fn observed() -> Vec<Job> {
    let only = |choose: fn(ObserveLayerBuilder) -> ObserveLayerBuilder| {
        move || calls(bare().layer(choose(nothing(1.0)).build().expect("it is valid")))
    };
    vec![
        observe("observed/switched off", only(|nothing| nothing), 300).explained(CONTEXT),
        observe("observed/every request sampled", || calls(observing(1.0)), 1_200)
            .instructions(13_000)
            .explained(OBSERVED),
        observe("observed/5 % sampled", || calls(observing(0.05)), 1_000)
            .instructions(11_000)
            .explained(OBSERVED),
        observe("observed/none sampled", || calls(observing(0.0)), 1_000).explained(OBSERVED),
        observe("observed/two threads", || twice(observing(1.0)), 1_200)
            .beyond(BARE_TWICE)
            .shared()
            .explained(SHARED),
        observe("observed/line only", only(|nothing| nothing.logging(true)), 600)
            .explained(CONTEXT),
        observe("observed/span only", only(|nothing| nothing.tracing(true)), 400)
            .explained(CONTEXT),
    ]
}

/// Observed, and behind rate limit, load shedding, bulkhead, breaker and time limit.
fn chain() -> Vec<Job> {
    let job = |name, start: fn() -> Router, target_ns| {
        Job::new(name, move || calls(start()))
            .beyond(BARE)
            .within(150_000, target_ns)
            .explained(CHAIN)
    };
    vec![
        job("chain/every request sampled", || guarded(1.0), 1_500).instructions(15_000),
        job("chain/with rate-limit headers", || chained(1.0, Headers::default()), 3_000)
            .explained(HEADERS),
        job("chain/5 % sampled", || guarded(0.05), 1_300).instructions(13_000),
        job("chain/none sampled", || guarded(0.0), 1_300),
        Job::new("chain/two threads", || twice(guarded(1.0)))
            .beyond(BARE_TWICE)
            .within(150_000, 1_500)
            .shared()
            .explained(SHARED),
    ]
}

fn observe<R: FnMut(u64) + 'static>(
    name: &'static str,
    start: impl Fn() -> R + 'static,
    target_ns: u64,
) -> Job {
    Job::new(name, start).beyond(BARE).within(100_000, target_ns)
}

fn observing(ratio: f64) -> Router {
    bare().layer(ObserveLayer::new(telemetry(ratio)))
}

fn guarded(ratio: f64) -> Router {
    chained(ratio, Headers::none())
}

/// As one layer: each further `.layer()` of a router is a box more around request and response.
fn chained(ratio: f64, headers: Headers) -> Router {
    bare().layer((ObserveLayer::new(telemetry(ratio)), guard(headers)))
}

fn nothing(ratio: f64) -> ObserveLayerBuilder {
    ObserveLayer::builder(telemetry(ratio)).logging(false).metrics(false).tracing(false)
}

/// Two threads that call the same service.
fn twice(router: Router) -> impl FnMut(u64) {
    two_threads(move || calls(router.clone()))
}

const OBSERVED: &str = "by a profile of the build without LTO a sixth goes into encoding the line, where each value is \
    looked through for what must be escaped or redacted; a sixth into copying request, response and record from one \
    owner to the next, under axum's boxes too; a tenth into the allocator, 3 of its calls being axum's for any \
    layer; a tenth into reading, making and echoing ids by the strict rules of each header; a twelfth into axum and \
    http themselves; the rest is what makes each request end exactly once, whoever lets go of it first. Less would \
    need values that are trusted unseen, or memory handled without its checks.";

const CONTEXT: &str = "whatever is switched on, ids are read, made and echoed, handlers find the context of their \
    request, its body is watched to its end, and it can be refused while the service drains: that is most of it, \
    and handlers and outgoing calls rely on it.";

const CHAIN: &str = "what is observed, as above, and the guards: a fifth of their share is copying the request and what \
    is held of each guard, the rest the key of the rate limit, five verdicts before and five after.";

const HEADERS: &str = "each answer tells limit, rest and reset in two sets of headers, by the draft of the IETF and by \
    the older names, which are formatted and hashed into the map of headers one by one.";

const SHARED: &str =
    "two threads and the one that writes share two processors, and all lines go through one queue.";
