use std::fmt;

use http::HeaderName;
use opentelemetry::Context;
use opentelemetry::baggage::{BaggageExt, KeyValueMetadata};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{self, SpanContext, TraceContextExt, TraceFlags};

use super::{
    Baggage, Carrier, CarrierMut, Extracted, Outgoing, Propagators, TraceParent, TraceState,
    TrustPolicy, field,
};
use crate::id::{SpanId, TraceId};

/// The strict propagators as OpenTelemetry's [`TextMapPropagator`], for libraries that want one.
///
/// Everything that was read is put into the context as [`RemoteContext`], also what OpenTelemetry
/// has no place for: a trace without a parent, which load balancers send, the extras of
/// `X-Amzn-Trace-Id`, and `tracestate` keys of Level 2.
///
/// ```
/// use std::collections::HashMap;
/// use obs_core::propagate::{OtelPropagator, Propagators, TrustPolicy};
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
///
/// let propagator = OtelPropagator::new(Propagators::default(), TrustPolicy::edge());
/// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let headers = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
/// let context = propagator.extract(&headers);
/// assert!(context.span().span_context().is_sampled());
/// ```
pub struct OtelPropagator {
    propagators: Propagators,
    policy: TrustPolicy,
    deferred_as: bool,
    fields: Vec<String>,
}

/// What an [`OtelPropagator`] read, as a value in OpenTelemetry's [`Context`].
///
/// ```
/// use obs_core::propagate::{OtelPropagator, Propagators, RemoteContext, TrustPolicy};
/// use opentelemetry::propagation::TextMapPropagator;
/// use std::collections::HashMap;
///
/// let propagator = OtelPropagator::new(Propagators::default(), TrustPolicy::internal());
/// let headers = HashMap::from([("x-correlation-id".to_owned(), "order-7".to_owned())]);
/// let context = propagator.extract(&headers);
/// assert!(context.get::<RemoteContext>().is_some());
/// ```
#[derive(Clone, Debug)]
pub struct RemoteContext(pub Extracted);

impl OtelPropagator {
    /// A propagator that reads and writes what `propagators` do, as far as `policy` allows.
    #[must_use]
    pub fn new(propagators: Propagators, policy: TrustPolicy) -> Self {
        let fields = propagators.trace_fields().map(|name| name.as_str().to_owned()).collect();
        Self { propagators, policy, deferred_as: true, fields }
    }

    /// Sets how OpenTelemetry is shown a decision that the caller left to us, for which it has no
    /// flag. Default sampled: a `ParentBased` sampler would drop such requests otherwise.
    ///
    /// ```
    /// use obs_core::propagate::{OtelPropagator, Propagators, TrustPolicy};
    ///
    /// let propagator = OtelPropagator::new(Propagators::default(), TrustPolicy::internal())
    ///     .deferred_as_sampled(true);
    /// # let _ = propagator;
    /// ```
    #[must_use]
    pub const fn deferred_as_sampled(mut self, sampled: bool) -> Self {
        self.deferred_as = sampled;
        self
    }

    fn span_context(&self, parent: &TraceParent) -> Option<SpanContext> {
        let span_id = trace::SpanId::from_bytes(parent.parent_span?.to_bytes());
        let sampled = parent.sampled.unwrap_or(self.deferred_as);
        let flags = TraceFlags::default().with_sampled(sampled);
        let flags = if parent.random { flags | RANDOM } else { flags };
        let state = parent.tracestate.as_str().parse().unwrap_or_default();
        let trace_id = trace::TraceId::from_bytes(parent.trace_id.to_bytes());
        Some(SpanContext::new(trace_id, span_id, flags, true, state))
    }
}

const RANDOM: TraceFlags = TraceFlags::new(0x02);

impl TextMapPropagator for OtelPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span = span.span_context();
        let trace_id = TraceId::new(u128::from_be_bytes(span.trace_id().to_bytes()));
        let span_id = SpanId::new(u64::from_be_bytes(span.span_id().to_bytes()));
        let (Some(trace_id), Some(span_id)) = (trace_id, span_id) else { return };
        let remote = context.get::<RemoteContext>().map(|remote| &remote.0);
        let parent = remote.and_then(|remote| remote.parent.as_ref());
        let parent = parent.filter(|parent| parent.trace_id == trace_id);
        let state = TraceState::parse([span.trace_state().header().as_bytes()]).unwrap_or_default();
        let baggage = baggage_of(context);

        let mut outgoing = Outgoing::new(trace_id, span_id, span.is_sampled()).baggage(&baggage);
        outgoing.random = span.trace_flags() & RANDOM == RANDOM;
        outgoing.trace_state = match parent {
            Some(parent) if state.is_empty() => Some(&parent.tracestate),
            _ => Some(&state),
        };
        outgoing.xray = parent.map(|parent| &parent.xray);
        if let Some(remote) = remote {
            outgoing.correlation_id = remote.correlation_id.as_ref();
            outgoing.tenant_id = remote.tenant_id.as_deref();
            outgoing.user_id = remote.user_id.as_deref();
            outgoing.debug = remote.debug.as_deref();
        }
        self.propagators.inject(&outgoing, &mut Writer(injector), &self.policy);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let extracted = self.propagators.extract(&Reader(extractor), &self.policy);
        let mut context = context.clone();
        if let Some(span) = extracted.parent.as_ref().and_then(|parent| self.span_context(parent)) {
            context = context.with_remote_span_context(span);
        }
        if !extracted.baggage.is_empty() {
            context = context.with_baggage(extracted.baggage.iter().map(|member| {
                let (key, value) = (member.key.to_owned(), member.value.into_owned());
                KeyValueMetadata::new(key, value, member.properties)
            }));
        }
        context.with_value(RemoteContext(extracted))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// Baggage as our own type, which keeps one member from becoming two.
fn baggage_of(context: &Context) -> Baggage {
    context.baggage().iter().fold(Baggage::empty(), |all, (key, (value, metadata))| {
        all.with_properties(key.as_str(), value.as_str(), metadata.as_str()).unwrap_or(all)
    })
}

struct Reader<'a>(&'a dyn Extractor);

impl Carrier for Reader<'_> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(field.as_str()).unwrap_or_default().into_iter().map(str::as_bytes)
    }
}

struct Writer<'a>(&'a mut dyn Injector);

impl CarrierMut for Writer<'_> {
    fn set(&mut self, field: &HeaderName, value: &[u8]) {
        self.0.set(field.as_str(), String::from_utf8_lossy(value).into_owned());
    }

    /// An injector cannot remove; it is made for a carrier without fields of its own.
    fn remove(&mut self, _: &HeaderName) {}
}

impl Propagators {
    /// The fields that carry the trace and the baggage.
    fn trace_fields(&self) -> impl Iterator<Item = &'static HeaderName> {
        use super::propagators::TraceFormat;
        let traces = self.traces.iter().flat_map(|format| match format {
            TraceFormat::W3c => vec![&field::TRACEPARENT, &field::TRACESTATE],
            TraceFormat::Xray => vec![&field::X_AMZN_TRACE_ID],
        });
        let fields: Vec<_> = traces.chain(self.baggage.then_some(&field::BAGGAGE)).collect();
        fields.into_iter()
    }
}

impl fmt::Debug for OtelPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelPropagator").field("fields", &self.fields).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ROOT: &str = "Root=1-58406520-a006649127e371903a2de979";

    fn propagator() -> OtelPropagator {
        OtelPropagator::new(Propagators::default(), TrustPolicy::internal())
    }

    fn headers(fields: &[(&str, &str)]) -> HashMap<String, String> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn journey(fields: &[(&str, &str)]) -> HashMap<String, String> {
        let mut sent = HashMap::new();
        let context = propagator().extract_with_context(&Context::new(), &headers(fields));
        propagator().inject_context(&context, &mut sent);
        sent
    }

    #[test]
    fn a_trace_passes_through_with_all_its_parts() {
        let sent = journey(&[
            ("traceparent", "00-58406520a006649127e371903a2de979-00f067aa0ba902b7-03"),
            ("tracestate", "a@b@c=1"),
            ("x-amzn-trace-id", &format!("{ROOT};Sampled=1;Foo=bar")),
            ("x-correlation-id", "c-1"),
        ]);
        assert_eq!(sent["traceparent"], "00-58406520a006649127e371903a2de979-00f067aa0ba902b7-03");
        assert_eq!(
            sent["tracestate"], "a@b@c=1",
            "though OpenTelemetry's own type refuses the key"
        );
        let expected = format!("{ROOT};Parent=00f067aa0ba902b7;Sampled=1;Foo=bar");
        assert_eq!(sent["x-amzn-trace-id"], expected);
        assert_eq!(sent["x-correlation-id"], "c-1");
    }

    #[test]
    fn baggage_is_never_torn_into_more_members() {
        let sent = journey(&[
            ("traceparent", "00-58406520a006649127e371903a2de979-00f067aa0ba902b7-01"),
            ("baggage", "a=%2Crole%3Dadmin;p=%2Crole=admin%0d%0a"),
        ]);
        assert_eq!(sent["baggage"], "a=%2Crole=admin;p=%2Crole=admin%0d%0a");
        let context = Context::new()
            .with_baggage([KeyValueMetadata::new("a", "1", "p,role=admin\r\nx: y;q")])
            .with_remote_span_context(propagator().span_context(&some_parent()).unwrap());
        let mut sent = HashMap::new();
        propagator().inject_context(&context, &mut sent);
        assert_eq!(sent["baggage"], "a=1;q", "a property that breaks the grammar is dropped");
    }

    fn some_parent() -> TraceParent {
        let trace_id = TraceId::from_xray("1-58406520-a006649127e371903a2de979").unwrap();
        TraceParent { parent_span: SpanId::new(7), ..TraceParent::new(trace_id) }
    }

    #[test]
    fn a_deferred_decision_is_shown_as_it_was_chosen() {
        let fields = headers(&[("x-amzn-trace-id", &format!("{ROOT};Parent=53995c3f42cd8ad8"))]);
        for sampled in [true, false] {
            let propagator = propagator().deferred_as_sampled(sampled);
            let context = propagator.extract_with_context(&Context::new(), &fields);
            assert_eq!(context.span().span_context().is_sampled(), sampled);
        }
    }

    #[test]
    fn a_trace_without_a_parent_is_kept_beside_the_span_context() {
        let fields = headers(&[("x-amzn-trace-id", ROOT)]);
        let context = propagator().extract_with_context(&Context::new(), &fields);
        assert!(!context.span().span_context().is_valid());
        let remote = context.get::<RemoteContext>().unwrap();
        assert_eq!(remote.0.parent.as_ref().unwrap().trace_id, some_parent().trace_id);
    }

    #[test]
    fn nothing_is_written_without_a_span() {
        let mut sent = HashMap::new();
        propagator().inject_context(&Context::new(), &mut sent);
        assert!(sent.is_empty());
    }

    #[test]
    fn the_fields_are_those_that_are_chosen() {
        let propagators = Propagators::from_names("xray").unwrap();
        let xray = OtelPropagator::new(propagators, TrustPolicy::edge());
        assert_eq!(xray.fields().collect::<Vec<_>>(), ["x-amzn-trace-id"]);
        assert_eq!(propagator().fields().count(), 4);
    }
}
