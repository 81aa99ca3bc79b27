use std::time::Duration;

use http::HeaderName;

use super::propagators::TraceFormat;
use super::scan::Scratch;
use super::{
    Baggage, CarrierMut, Propagators, TraceState, TraceTrust, Traceparent, TrustPolicy, XrayExtras,
    field, xray,
};
use crate::id::{CorrelationId, SpanId, TraceId};

/// What an outgoing call or message tells about the request it belongs to.
///
/// ```
/// use http::HeaderMap;
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_core::propagate::{Baggage, Outgoing, Propagators, TrustPolicy};
///
/// let ids = IdGenerator::system();
/// let correlation = ids.correlation_id(&Clock::system());
/// let baggage = Baggage::empty().with("channel", "web").expect("it fits");
/// let outgoing = Outgoing::new(ids.trace_id(&Clock::system()), ids.span_id(), true)
///     .correlation_id(&correlation)
///     .baggage(&baggage);
///
/// let mut headers = HeaderMap::new();
/// Propagators::default().inject(&outgoing, &mut headers, &TrustPolicy::internal());
/// assert!(headers.contains_key("traceparent"));
/// assert_eq!(headers["baggage"], "channel=web");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that makes the call: the parent of whatever the callee does.
    pub span_id: SpanId,
    /// The sampling decision.
    pub sampled: bool,
    /// Whether the low 56 bits of the trace id are random.
    pub random: bool,
    /// What other tracing systems sent along.
    pub trace_state: Option<&'a TraceState>,
    /// What else an `X-Amzn-Trace-Id` field carried.
    pub xray: Option<&'a XrayExtras>,
    /// The correlation id.
    pub correlation_id: Option<&'a CorrelationId>,
    /// The baggage.
    pub baggage: Option<&'a Baggage>,
    /// The tenant.
    pub tenant_id: Option<&'a str>,
    /// The user.
    pub user_id: Option<&'a str>,
    /// The time left for an answer; written in whole milliseconds, rounded down.
    pub timeout: Option<Duration>,
    /// 1 for a first attempt.
    pub attempt: Option<u32>,
    /// The signed request for more lines, as it arrived.
    pub debug: Option<&'a str>,
}

impl<'a> Outgoing<'a> {
    /// A call by `span_id` in `trace_id`, with nothing else to tell.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId, sampled: bool) -> Self {
        Self {
            trace_id,
            span_id,
            sampled,
            random: false,
            trace_state: None,
            xray: None,
            correlation_id: None,
            baggage: None,
            tenant_id: None,
            user_id: None,
            timeout: None,
            attempt: None,
            debug: None,
        }
    }

    /// Sets the correlation id.
    #[must_use]
    pub const fn correlation_id(mut self, id: &'a CorrelationId) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sets the baggage.
    #[must_use]
    pub const fn baggage(mut self, baggage: &'a Baggage) -> Self {
        self.baggage = Some(baggage);
        self
    }
}

impl Propagators {
    /// Writes what `outgoing` tells into `carrier`, as far as `policy` lets it be told.
    ///
    /// The carrier afterwards holds what this call has to say and nothing else: a field that was
    /// in it already, copied from an incoming request perhaps, is replaced, and removed if there
    /// is nothing to say or it must not be said. Ids that no enabled propagator writes are left
    /// alone. With a header map that has room this does not allocate in a steady state.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use obs_core::clock::Clock;
    /// use obs_core::id::IdGenerator;
    /// use obs_core::propagate::{Outgoing, Propagators, TrustPolicy};
    ///
    /// let (ids, mut headers) = (IdGenerator::system(), HeaderMap::new());
    /// let outgoing = Outgoing::new(ids.trace_id(&Clock::system()), ids.span_id(), true);
    /// let propagators = Propagators::from_names("tracecontext")?;
    /// propagators.inject(&outgoing, &mut headers, &TrustPolicy::external());
    /// assert!(headers.contains_key("traceparent"));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn inject(
        &self,
        outgoing: &Outgoing<'_>,
        carrier: &mut impl CarrierMut,
        policy: &TrustPolicy,
    ) {
        let holds = carrier.may_hold_fields();
        for format in &self.traces {
            inject_trace(*format, outgoing, carrier, policy, holds);
        }
        let correlation = outgoing.correlation_id.filter(|_| policy.allows_correlation_id());
        // Its name is the application's to choose, so the carrier cannot know it.
        match correlation {
            Some(id) => carrier.set(self.correlation_header(), id.as_bytes()),
            None => carrier.remove(self.correlation_header()),
        }
        let mut put = |name: &HeaderName, value: Option<&[u8]>| match value {
            Some(value) => carrier.set(name, value),
            None if holds => carrier.remove(name),
            None => {}
        };
        if self.baggage {
            let baggage = outgoing.baggage.map(Baggage::as_str).filter(|text| !text.is_empty());
            let baggage = baggage.filter(|_| policy.allows_baggage());
            put(&field::BAGGAGE, baggage.map(str::as_bytes));
        }
        let tenant = outgoing.tenant_id.filter(|_| policy.allows_tenant_id());
        put(&field::X_TENANT_ID, tenant.map(str::as_bytes));
        let user = outgoing.user_id.filter(|_| policy.allows_user_id());
        put(&field::X_USER_ID, user.map(str::as_bytes));
        let debug = outgoing.debug.filter(|_| policy.allows_debug());
        put(&field::X_OBS_DEBUG, debug.map(str::as_bytes));

        let mut digits = itoa::Buffer::new();
        let timeout = outgoing.timeout.filter(|_| policy.allows_timeout());
        let millis = timeout.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let millis = millis.map(|millis| millis.min(MAX_TIMEOUT_MILLIS));
        put(&field::X_REQUEST_TIMEOUT, millis.map(|millis| digits.format(millis).as_bytes()));
        let attempt = outgoing.attempt.filter(|_| policy.allows_attempt());
        put(&field::X_REQUEST_ATTEMPT, attempt.map(|attempt| digits.format(attempt).as_bytes()));
    }
}

/// The largest number the receiving side reads, 115 days.
const MAX_TIMEOUT_MILLIS: u64 = 9_999_999_999;

fn inject_trace(
    format: TraceFormat,
    outgoing: &Outgoing<'_>,
    carrier: &mut impl CarrierMut,
    policy: &TrustPolicy,
    holds: bool,
) {
    let tells = policy.trace_trust() != TraceTrust::Ignore;
    match format {
        TraceFormat::W3c if tells => {
            let header = Traceparent {
                trace_id: outgoing.trace_id,
                span_id: outgoing.span_id,
                sampled: outgoing.sampled,
                random: outgoing.random,
            };
            carrier.set(&field::TRACEPARENT, &header.to_bytes());
            let state = outgoing.trace_state.filter(|state| !state.is_empty());
            match state.filter(|_| policy.allows_trace_state()) {
                Some(state) => carrier.set(&field::TRACESTATE, state.as_str().as_bytes()),
                None if holds => carrier.remove(&field::TRACESTATE),
                None => {}
            }
        }
        TraceFormat::W3c => {
            carrier.remove(&field::TRACEPARENT);
            carrier.remove(&field::TRACESTATE);
        }
        TraceFormat::Xray if tells => {
            let usual = xray::usual(outgoing.trace_id, outgoing.span_id, outgoing.sampled);
            // Extras are other systems' data, as tracestate is.
            let extras = outgoing.xray.map(XrayExtras::forwarded).filter(|text| !text.is_empty());
            match extras.filter(|_| policy.allows_trace_state()) {
                None => carrier.set(&field::X_AMZN_TRACE_ID, &usual),
                Some(extras) => {
                    let mut value = Scratch::from_slice(&usual);
                    value.push(b';');
                    value.extend_from_slice(extras.as_bytes());
                    carrier.set(&field::X_AMZN_TRACE_ID, &value);
                }
            }
        }
        TraceFormat::Xray => carrier.remove(&field::X_AMZN_TRACE_ID),
    }
}
