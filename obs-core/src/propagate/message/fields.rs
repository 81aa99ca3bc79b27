use http::HeaderName;

use super::super::{Carrier, CarrierMut, field};

/// The fields of one message on its way out.
///
/// The X-Ray header stands apart, because SQS, EventBridge and Step Functions have a place of
/// their own for it.
///
/// ```
/// use obs_core::context::RequestContext;
/// use obs_core::propagate::TrustPolicy;
/// use obs_core::propagate::message::{MessageFields, sqs};
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let request = RequestContext::builder(&telemetry).build();
/// let mut fields = MessageFields::default();
/// request.inject(&mut fields, &TrustPolicy::message());
///
/// // The system attribute, and as many attributes as the message has room for.
/// assert!(fields.trace_header().is_some_and(|header| header.starts_with("Root=1-")));
/// let attributes: Vec<_> = fields.attributes(sqs::MAX_ATTRIBUTES).collect();
/// assert_eq!(attributes[0].0, "traceparent");
/// assert_eq!(fields.iter().count(), attributes.len() + 1);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFields {
    trace_header: Option<String>,
    others: Vec<(HeaderName, String)>,
}

impl MessageFields {
    /// The content of `X-Amzn-Trace-Id`: SQS's `AWSTraceHeader`, EventBridge's `TraceHeader`, Step
    /// Functions' `traceHeader`.
    #[must_use]
    pub fn trace_header(&self) -> Option<&str> {
        self.trace_header.as_deref()
    }

    /// The other fields as message attributes of type `String`, the most important first, as many
    /// as there is `room` for.
    ///
    /// They are `traceparent`, the correlation id, `baggage`, and then whatever the trust policy
    /// lets out.
    pub fn attributes(&self, room: usize) -> impl Iterator<Item = (&str, &str)> {
        let known = [&field::TRACEPARENT, &field::X_CORRELATION_ID, &field::BAGGAGE];
        let first = known.into_iter().filter_map(|name| self.find(name));
        let rest = self.others.iter().filter(move |(name, _)| !known.contains(&name));
        first.chain(rest).take(room).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every field, the X-Ray header among them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let header = self.trace_header().map(|value| (field::X_AMZN_TRACE_ID.as_str(), value));
        header.into_iter().chain(self.attributes(usize::MAX))
    }

    fn find(&self, name: &HeaderName) -> Option<&(HeaderName, String)> {
        self.others.iter().find(|(other, _)| other == name)
    }
}

impl Carrier for MessageFields {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let value = if *field == field::X_AMZN_TRACE_ID {
            self.trace_header()
        } else {
            self.find(field).map(|(_, value)| value.as_str())
        };
        value.map(str::as_bytes).into_iter()
    }
}

impl CarrierMut for MessageFields {
    fn set(&mut self, field: &HeaderName, value: &[u8]) {
        CarrierMut::remove(self, field);
        let value = String::from_utf8_lossy(value).into_owned();
        if *field == field::X_AMZN_TRACE_ID {
            self.trace_header = Some(value);
        } else {
            self.others.push((field.clone(), value));
        }
    }

    fn remove(&mut self, field: &HeaderName) {
        if *field == field::X_AMZN_TRACE_ID {
            self.trace_header = None;
        }
        self.others.retain(|(name, _)| name != field);
    }
}
