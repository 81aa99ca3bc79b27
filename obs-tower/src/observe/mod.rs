//! One truthful record of every request: a line, metrics and a span that agree.
//!
//! ```
//! use std::convert::Infallible;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use obs_core::environment::Environment;
//! use obs_core::output::Output;
//! use obs_core::telemetry::Telemetry;
//! use obs_tower::observe::ObserveLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let (output, captured) = Output::captured();
//! let telemetry =
//!     Telemetry::builder("orders").environment(Environment::empty()).output(output).build()?;
//! let service = ServiceBuilder::new()
//!     // Outermost, so that it sees what every other layer answers.
//!     .layer(ObserveLayer::new(telemetry.clone()))
//!     .service(service_fn(async |_: Request<()>| {
//!         Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
//!     }));
//! let response = service.oneshot(Request::get("/").body(())?).await?;
//! assert!(response.headers().contains_key("x-correlation-id"));
//! response.into_body().collect().await?;
//!
//! telemetry.flush(std::time::Duration::from_secs(5));
//! assert!(captured.text().contains(r#""status":200,"outcome":"success""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With axum it is one more `.layer(…)` of the router; see [`crate::axum`].
//!
//! # What is left
//! One line, at INFO, WARN for 4xx and requests nobody waited for, ERROR for 5xx and panics:
//!
//! ```json
//! {"timestamp":"2026-01-01T00:00:00.025Z","level":"INFO","message":"request completed",
//!  "target":"obs_tower::observe","service":"orders","correlation_id":"019b…","trace_id":"6955…",
//!  "span_id":"f6b2…","xray_trace_id":"1-6955…","method":"GET","route":"/orders/{id}","status":200,
//!  "outcome":"success","duration_ms":25.0,"ttfb_ms":25.0,"response_bytes":5,"_aws":{…},
//!  "Service":"orders","Environment":"local","Method":"GET","Route":"/orders/{id}","Requests":1,
//!  "Errors":0,"Faults":0,"Latency":25,"ResponseSize":5,"InFlight":1}
//! ```
//!
//! | field | what it is |
//! |---|---|
//! | `duration_ms` | to the last byte of the response, or whatever ended it |
//! | `ttfb_ms` | to the headers of the response, if there were any |
//! | `first_byte_ms` | to the first byte of its body, if that came 1 ms or more after the headers |
//! | `request_bytes` | as they were read, else as `content-length` promised them |
//! | `timeout_ms`, `attempt` | what the caller said, where it is [trusted](ObserveLayerBuilder::trust) |
//! | `grpc_status` | the name of the code in headers or trailers |
//! | `held`, `slow` | `true` where [`max_hold`](ObserveLayerBuilder::max_hold) or [`slow_threshold`](ObserveLayerBuilder::slow_threshold) applied |
//!
//! Then the tags, the listed headers, the bodies, and what the handler has recorded. Beside it,
//! one span of kind server, if the trace is sampled or the request failed or was slow; and the
//! correlation id in the response. Handlers add to it through
//! [`RequestContext::current`](obs_core::context::RequestContext::current), and see the whole under
//! way in the control of kind `in_flight`.
//!
//! # When it ends
//! | exit | outcome | status |
//! |---|---|---|
//! | last byte, or headers without a body | by the status, the gRPC status, or what a layer within said | as sent |
//! | the service answers with an error | `service_error` | none |
//! | the handler panics | `panic` | 500, or none with [`PanicPolicy::Resume`] |
//! | the body fails | `body_error` | as sent |
//! | the body ends before the promised length, or gRPC without a status | `truncated_body` | as sent |
//! | dropped before the headers | `cancelled_before_headers` | none |
//! | dropped in the body | `cancelled_in_body` | as sent |
//! | dropped after its deadline | `deadline_exceeded` | as far as sent |
//! | still running at [`ObserveLayer::shutdown`], or dropped after it | `shutdown` | as far as sent |
//! | still streaming after [`max_hold`](ObserveLayerBuilder::max_hold) | by the status; `held` is true | as sent |
//!
//! A layer within says who refused a request by leaving an
//! [`Outcome`](obs_core::outcome::Outcome) among the extensions of its response; those of this
//! suite do. Upgrades end with their headers.
//!
//! # What it asks of a service
//! That it answers HTTP requests with responses that have a body. Request, response and error need
//! not be `Send`, `Clone` or printable; the body of the request and the chunks of the response are
//! to be `'static`, as servers have them, so that a panic can be answered. What is missing is named:
//!
//! ```compile_fail,E0277
//! # use std::convert::Infallible;
//! # use http::{Request, Response};
//! # use obs_core::telemetry::Telemetry;
//! # use obs_tower::observe::ObserveLayer;
//! # use tower::{Layer, Service, service_fn};
//! async fn order(_: Request<()>) -> Result<Response<Vec<u8>>, Infallible> {
//!     Ok(Response::new(b"order 7".to_vec()))
//! }
//!
//! fn serve(_: impl Service<Request<()>>) {}
//!
//! # fn example(telemetry: Telemetry) {
//! // error[E0277]: the trait bound `Vec<u8>: http_body::Body` is not satisfied
//! serve(ObserveLayer::new(telemetry).layer(service_fn(order)));
//! # }
//! ```
//!
//! # Cost
//! Two allocations for a request that is not sampled and three for one that is, beyond those of a
//! layer that passes through; each is named in the test that counts them. The layer boxes neither
//! the future nor the body; a body that keeps its reader waiting gets a timer, in a box. The span of
//! a sampled request is put together by the exporter's thread. What goes wrong in the layer, or in
//! code given to its builder, never reaches the client.

mod body;
mod builder;
mod by_route;
mod capture;
mod config;
mod ending;
mod future;
mod head;
mod hold;
mod in_flight;
mod layer;
mod line;
mod metrics;
mod observer;
mod peer;
mod recording;
mod request_body;
mod respond;
mod route;
mod service;
mod span;
mod texts;
mod ticket;

pub use body::ResponseBody;
pub use builder::ObserveLayerBuilder;
pub use capture::BodyLogging;
pub use config::{MetricsMode, PanicPolicy};
pub use future::ResponseFuture;
pub use head::RequestHead;
pub use in_flight::InFlight;
pub use layer::ObserveLayer;
pub use line::TARGET;
pub use request_body::{BodyCount, RequestBody, RequestBodyLayer, WatchRequestBody};
pub use route::Route;
pub use service::Observe;

pub use crate::exchange::{OTHER_METHOD, UNMATCHED};
