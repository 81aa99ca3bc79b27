//! What handlers add to the record of their request.

use std::borrow::Cow;

use super::RequestContext;
use super::recorded::Recorded;
use super::request::lock;
use crate::log::Value;
use crate::metric::Descriptor;
use crate::trace::{AttributeValue, Metadata, SpanRecord, Text};

impl RequestContext {
    /// Adds a field to the request line; one of the same key is replaced.
    pub fn record(&self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        self.add(|recorded| recorded.fields.set(key, &value));
    }

    /// Adds a value to the metrics that go out with the request line.
    ///
    /// NaN and infinities are ignored, and so is what goes beyond 100 values, the most an EMF
    /// metric may have.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::metric::{Descriptor, Unit};
    /// use obs_core::telemetry::Telemetry;
    ///
    /// static ITEMS: Descriptor = Descriptor::new("Items", Unit::Count, "Items in a placed order");
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// request.metric(&ITEMS, 3.0);
    /// let recorded = request.take_recorded().expect("a metric was recorded");
    /// assert_eq!(recorded.metrics, [(&ITEMS, 3.0)]);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn metric(&self, metric: &'static Descriptor, value: f64) {
        self.add(|recorded| recorded.add_metric(metric, value));
    }

    /// Names what went wrong, for the line and the span; the last one counts.
    pub fn error(&self, kind: impl Into<Cow<'static, str>>) {
        let kind = kind.into();
        self.add(|recorded| recorded.error_kind = Some(kind));
    }

    /// Adds an annotation to the request's span: one that X-Ray indexes, for searches.
    ///
    /// It is kept for spans exported after all because the request ended badly, too.
    pub fn annotate(&self, key: impl Into<Text>, value: impl Into<AttributeValue>) {
        let (key, value) = (key.into(), value.into());
        self.add(|recorded| recorded.annotations.set(key, value));
    }

    /// Adds an annotation to the request's span and to every span within it that ends from now on,
    /// those of outgoing calls among them: for what the whole request is about, such as an order.
    ///
    /// An annotation of the same key that a span has of its own stays.
    pub fn annotate_all(&self, key: impl Into<Text>, value: impl Into<AttributeValue>) {
        let (key, value) = (key.into(), value.into());
        lock(self.0.inherited.get_or_init(Box::default)).set(key.clone(), value.clone());
        self.annotate(key, value);
    }

    /// Gives a span within this request what [`annotate_all`](Self::annotate_all) was told.
    ///
    /// For who builds spans; those of this suite have it.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::id::SpanId;
    /// use obs_core::telemetry::Telemetry;
    /// use obs_core::trace::{SpanKind, SpanRecord};
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// request.annotate_all("order", "o-7");
    /// let id = SpanId::new(7).expect("not zero");
    /// let mut span = SpanRecord::new("reserve", SpanKind::Internal, request.trace_id(), id);
    /// request.annotate_span(&mut span);
    /// assert_eq!(span.annotations.get("order").and_then(|value| value.as_str()), Some("o-7"));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn annotate_span(&self, span: &mut SpanRecord) {
        let Some(inherited) = self.0.inherited.get() else { return };
        for (key, value) in lock(inherited).iter() {
            if span.annotations.get(key).is_none() {
                span.annotate(key.clone(), value.clone());
            }
        }
    }

    /// Adds a piece of metadata to the request's span: kept with it and not searchable.
    ///
    /// [`SpanRecord::DEFAULT_NAMESPACE`](crate::trace::SpanRecord::DEFAULT_NAMESPACE) is the
    /// namespace for keys that need none. At most 128 pieces are kept.
    ///
    /// ```
    /// use obs_core::context::RequestContext;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let request = RequestContext::builder(&telemetry).build();
    /// request.metadata("payment", "attempts", 2);
    /// let recorded = request.take_recorded().expect("it was recorded");
    /// assert_eq!(recorded.metadata[0].key.as_str(), "attempts");
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn metadata(
        &self,
        namespace: impl Into<Text>,
        key: impl Into<Text>,
        value: impl Into<AttributeValue>,
    ) {
        let piece = Metadata::new(namespace, key, value);
        self.add(|recorded| recorded.add_metadata(piece));
    }

    /// Takes what handlers recorded, if they recorded anything; called once, by the layer that
    /// writes the request line.
    #[must_use]
    pub fn take_recorded(&self) -> Option<Box<Recorded>> {
        lock(&self.0.recorded).take()
    }

    fn add(&self, to: impl FnOnce(&mut Recorded)) {
        to(lock(&self.0.recorded).get_or_insert_default());
    }
}
