use crate::id::{CorrelationId, SpanId, TraceId};

/// The ids that every line of one request carries.
///
/// What is unknown is absent from the line, not empty or zero.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_core::log::Ids;
///
/// let generator = IdGenerator::system();
/// let mut ids = Ids::default();
/// ids.trace_id = Some(generator.trace_id(&Clock::system()));
/// ids.tenant_id = Some("acme");
/// assert!(ids.span_id.is_none());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids<'a> {
    /// Ties together everything done for one request.
    pub correlation_id: Option<&'a CorrelationId>,
    /// Written as `trace_id` and, in X-Ray's form, as `xray_trace_id`.
    pub trace_id: Option<TraceId>,
    /// The span in which the line is written.
    pub span_id: Option<SpanId>,
    /// The tenant on whose behalf the request runs.
    pub tenant_id: Option<&'a str>,
    /// The user on whose behalf the request runs.
    pub user_id: Option<&'a str>,
}
