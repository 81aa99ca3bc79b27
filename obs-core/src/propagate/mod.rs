//! What a request is told by its headers, and what it tells on.
//!
//! [`Propagators`] reads a [`Carrier`] into [`Extracted`] and writes an [`Outgoing`] into a
//! [`CarrierMut`]; a [`TrustPolicy`] says how much of it counts on each edge. The formats are
//! `traceparent` and `tracestate` ([`Traceparent`], [`TraceState`]), `X-Amzn-Trace-Id`
//! ([`XrayHeader`]), [`Baggage`], the correlation id, and the headers between our own services.
//!
//! The parsers are strict: they take what the specifications allow and nothing else, never panic,
//! and allocate nothing for what they refuse. What arrives in one header never changes what is
//! read from or written to another.
//!
//! ```
//! use http::HeaderMap;
//! use obs_core::clock::Clock;
//! use obs_core::id::IdGenerator;
//! use obs_core::propagate::{Outgoing, Propagators, TrustPolicy};
//!
//! let (clock, ids, propagators) = (Clock::system(), IdGenerator::system(), Propagators::default());
//! let outgoing = Outgoing::new(ids.trace_id(&clock), ids.span_id(), true);
//! let mut headers = HeaderMap::new();
//! propagators.inject(&outgoing, &mut headers, &TrustPolicy::internal());
//!
//! let extracted = propagators.extract(&headers, &TrustPolicy::internal());
//! let parent = extracted.parent.unwrap();
//! assert_eq!(parent.trace_id, outgoing.trace_id);
//! assert_eq!(parent.parent_span, Some(outgoing.span_id));
//! ```

mod baggage;
mod carrier;
mod extract;
pub mod field;
mod found;
mod hosts;
mod inject;
#[cfg(any(test, feature = "test-util"))]
#[doc(hidden)]
pub mod invariants;
pub mod message;
#[cfg(feature = "otel")]
mod otel;
mod parent;
mod propagators;
mod scan;
#[cfg(test)]
mod tests;
mod traceparent;
mod tracestate;
mod trust;
mod xray;

pub use baggage::{Baggage, BaggageMember};
pub use carrier::{Carrier, CarrierMut, header_value};
pub use extract::{Extracted, RejectedId};
pub use found::Found;
pub use hosts::TrustedHosts;
pub use inject::Outgoing;
#[cfg(feature = "otel")]
pub use otel::{OtelPropagator, RemoteContext};
pub use parent::TraceParent;
pub use propagators::Propagators;
pub use traceparent::Traceparent;
pub use tracestate::TraceState;
pub use trust::{TraceTrust, TrustPolicy};
pub use xray::{XrayExtras, XrayHeader};

pub(crate) use extract::is_identity;
