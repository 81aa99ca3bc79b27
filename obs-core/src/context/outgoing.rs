//! What a request's outgoing calls and messages take along.

use super::RequestContext;
use crate::propagate::{CarrierMut, Outgoing, TrustPolicy};

impl RequestContext {
    /// Calls `send` with what an outgoing call has to tell, as the current span.
    ///
    /// The time left is the request's; there is no attempt until `send` sets one.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// let trace = request.with_outgoing(|outgoing| outgoing.trace_id);
    /// assert_eq!(trace, request.trace_id());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn with_outgoing<R>(&self, send: impl FnOnce(Outgoing<'_>) -> R) -> R {
        let inner = &*self.0;
        let baggage = self.baggage();
        let mut outgoing = Outgoing::new(inner.trace_id, self.current_span_id(), inner.sampled)
            .correlation_id(&inner.correlation_id)
            .baggage(&baggage);
        outgoing.random = inner.random;
        outgoing.trace_state = Some(&inner.trace_state);
        outgoing.xray = Some(&inner.xray);
        outgoing.tenant_id = self.tenant_id();
        outgoing.user_id = self.user_id();
        outgoing.timeout =
            inner.deadline.map(|deadline| deadline.remaining(inner.telemetry.clock().now()));
        outgoing.debug = inner.debug.as_deref();
        send(outgoing)
    }

    /// Writes the fields of an outgoing call or message into `carrier`, as the current span.
    pub fn inject(&self, carrier: &mut impl CarrierMut, policy: &TrustPolicy) {
        self.with_outgoing(|outgoing| {
            self.0.telemetry.propagators().inject(&outgoing, carrier, policy);
        });
    }
}
