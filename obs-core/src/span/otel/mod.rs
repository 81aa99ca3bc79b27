//! For code that speaks OpenTelemetry's API: its spans become children and take our road.

mod convert;
mod span;
#[cfg(test)]
mod tests;

use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId as OtelSpanId, TraceContextExt as _, TraceFlags,
    TraceId as OtelTraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope};

use crate::context::RequestContext;
use crate::id::{SpanId, TraceId};
use crate::telemetry::Telemetry;
use crate::trace::{SamplingInput, SpanRecord, Text, Tracer as OurTracer};

pub use span::BridgedSpan;

/// A tracer provider for libraries that are instrumented with OpenTelemetry's API.
///
/// Their spans get our ids, our sampling verdict and our queue; no part of OpenTelemetry's SDK is
/// involved. The parent is the span of the OpenTelemetry context if it has one, else the current
/// span of the current request. Work outside of both begins a trace, about which the sampler is
/// asked. In a trace that is not sampled nothing is recorded.
///
/// ```
/// use obs_core::span::BridgeProvider;
/// use obs_core::telemetry::Telemetry;
/// use opentelemetry::trace::{Tracer, TracerProvider};
///
/// # fn example(telemetry: &Telemetry) {
/// let provider = BridgeProvider::new(telemetry);
/// opentelemetry::global::set_tracer_provider(provider.clone());
/// provider.tracer("cache").in_span("lookup", |_| { /* a child of the current request */ });
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BridgeProvider {
    telemetry: Telemetry,
}

impl BridgeProvider {
    /// A provider whose spans go to `telemetry`, unless the current request has another.
    #[must_use]
    pub fn new(telemetry: &Telemetry) -> Self {
        Self { telemetry: telemetry.clone() }
    }
}

impl TracerProvider for BridgeProvider {
    type Tracer = BridgeTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> BridgeTracer {
        BridgeTracer { telemetry: self.telemetry.clone(), scope: scope.name().to_owned().into() }
    }
}

/// A tracer of a [`BridgeProvider`].
///
/// ```
/// use obs_core::span::BridgeProvider;
/// use obs_core::telemetry::Telemetry;
/// use opentelemetry::trace::{Tracer, TracerProvider};
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let tracer = BridgeProvider::new(&telemetry).tracer("legacy");
/// tracer.in_span("work", |_context| { /* a child of the current request's span */ });
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BridgeTracer {
    telemetry: Telemetry,
    scope: std::sync::Arc<str>,
}

/// Where a new span belongs.
struct Place {
    trace_id: TraceId,
    parent: Option<SpanId>,
    parent_is_remote: bool,
    sampled: bool,
    trace_state: TraceState,
    tracer: OurTracer,
}

impl BridgeTracer {
    fn place(&self, context: &Context) -> Place {
        let own = self.telemetry.tracer();
        let request = RequestContext::current();
        if let Some(place) = below(context, own, request.as_ref()) {
            return place;
        }
        if let Some(request) = request {
            return Place {
                trace_id: request.trace_id(),
                parent: Some(request.current_span_id()),
                parent_is_remote: false,
                sampled: request.is_sampled(),
                trace_state: TraceState::NONE,
                tracer: request.telemetry().tracer().clone(),
            };
        }
        let trace_id = own.new_trace_id();
        let input = SamplingInput::new(trace_id, self.telemetry.service_name());
        Place {
            trace_id,
            parent: None,
            parent_is_remote: false,
            sampled: own.decide(&input).sampled,
            trace_state: TraceState::NONE,
            tracer: own.clone(),
        }
    }
}

/// The place below the span of an OpenTelemetry context.
fn below(context: &Context, own: &OurTracer, request: Option<&RequestContext>) -> Option<Place> {
    let span = context.span();
    let parent = span.span_context();
    let trace_id = TraceId::new(u128::from_be_bytes(parent.trace_id().to_bytes()))?;
    let span_id = SpanId::new(u64::from_be_bytes(parent.span_id().to_bytes()))?;
    let same_request = request.filter(|request| request.trace_id() == trace_id);
    Some(Place {
        trace_id,
        parent: Some(span_id),
        parent_is_remote: parent.is_remote(),
        sampled: parent.is_sampled(),
        trace_state: parent.trace_state().clone(),
        tracer: same_request.map_or(own, |request| request.telemetry().tracer()).clone(),
    })
}

impl Tracer for BridgeTracer {
    type Span = BridgedSpan;

    fn build_with_context(&self, builder: SpanBuilder, context: &Context) -> BridgedSpan {
        let place = self.place(context);
        let span_id = place.tracer.new_span_id();
        let flags = if place.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let own = SpanContext::new(
            OtelTraceId::from_bytes(place.trace_id.to_bytes()),
            OtelSpanId::from_bytes(span_id.to_bytes()),
            flags,
            false,
            place.trace_state.clone(),
        );
        if !place.sampled || !place.tracer.is_recording() {
            return BridgedSpan::silent(own);
        }
        let mut span = self.record(builder, &place, span_id);
        span.parent_span_id = place.parent;
        span.parent_is_remote = place.parent_is_remote;
        BridgedSpan::recording(own, span, place.tracer)
    }
}

impl BridgeTracer {
    fn record(&self, builder: SpanBuilder, place: &Place, span_id: SpanId) -> SpanRecord {
        let kind = convert::kind(builder.span_kind.as_ref());
        let mut span = SpanRecord::new(builder.name, kind, place.trace_id, span_id);
        let start = builder.start_time.map(convert::timestamp);
        span.start = start.unwrap_or_else(|| place.tracer.clock().wall());
        let header = place.trace_state.header();
        if !header.is_empty() {
            span.trace_state = header.into();
        }
        span.attributes.push("otel.scope.name", Text::Shared(self.scope.clone()));
        for attribute in builder.attributes.unwrap_or_default() {
            convert::set(&mut span.attributes, attribute);
        }
        for event in builder.events.unwrap_or_default() {
            span.add_event(convert::event(event.name, event.timestamp, event.attributes));
        }
        for link in builder.links.unwrap_or_default() {
            convert::link(&mut span, &link.span_context, link.attributes);
        }
        span
    }
}
