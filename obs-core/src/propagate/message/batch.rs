use super::super::{Carrier, Extracted, Propagators, TraceParent, TrustPolicy};

/// The most links a batch keeps, as many as X-Ray takes for one segment
/// ([segment documents](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html)).
pub const MAX_LINKS: usize = 20;

impl Propagators {
    /// Reads what messages that were received together tell.
    ///
    /// One message is like a request: its trace is continued. Of several, none is the parent; the
    /// first [`MAX_LINKS`] traces become links, and what they do not all agree on, such as the
    /// correlation id, is left out. To work on each message by itself, extract from each.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use obs_core::propagate::{Propagators, TrustPolicy};
    ///
    /// let message = |trace: &str| {
    ///     let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    ///     BTreeMap::from([("traceparent".to_owned(), parent)])
    /// };
    /// let messages = [
    ///     message("4bf92f3577b34da6a3ce929d0e0e4736"),
    ///     message("5bf92f3577b34da6a3ce929d0e0e4736"),
    /// ];
    /// let batch = Propagators::default().extract_batch(messages, &TrustPolicy::message());
    /// assert!(batch.parent.is_none());
    /// assert_eq!(batch.links.len(), 2);
    /// ```
    pub fn extract_batch<C: Carrier>(
        &self,
        messages: impl IntoIterator<Item = C>,
        policy: &TrustPolicy,
    ) -> Extracted {
        let mut messages = messages.into_iter();
        let Some(first) = messages.next() else { return Extracted::default() };
        let mut batch = self.extract(&first, policy);
        for (position, message) in messages.enumerate() {
            if position == 0 {
                batch.link_parent();
            }
            let mut other = self.extract(&message, policy);
            other.link_parent();
            batch.join(other);
        }
        batch
    }
}

impl Extracted {
    /// Turns the parent into a link.
    fn link_parent(&mut self) {
        if let Some(parent) = self.parent.take() {
            self.links.insert(0, parent);
        }
    }

    /// Keeps what both agree on, and the links of both.
    fn join(&mut self, other: Self) {
        for link in other.links {
            if self.links.len() < MAX_LINKS && !self.links.iter().any(|known| is_same(known, &link))
            {
                self.links.push(link);
            }
        }
        keep_if_equal(&mut self.correlation_id, &other.correlation_id);
        keep_if_equal(&mut self.tenant_id, &other.tenant_id);
        keep_if_equal(&mut self.user_id, &other.user_id);
        keep_if_equal(&mut self.debug, &other.debug);
        keep_if_equal(&mut self.timeout, &other.timeout);
        keep_if_equal(&mut self.attempt, &other.attempt);
        keep_if_equal(&mut self.rejected_correlation, &other.rejected_correlation);
        if self.baggage != other.baggage {
            self.baggage = super::super::Baggage::empty();
        }
    }
}

fn is_same(one: &TraceParent, other: &TraceParent) -> bool {
    (one.trace_id, one.parent_span) == (other.trace_id, other.parent_span)
}

fn keep_if_equal<T: PartialEq>(kept: &mut Option<T>, other: &Option<T>) {
    if kept != other {
        *kept = None;
    }
}
