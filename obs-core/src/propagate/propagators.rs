use http::HeaderName;
use smallvec::{SmallVec, smallvec};

use super::field;
use super::found::Slot;
use crate::config::ConfigError;
use crate::environment::Environment;

/// Which headers are read and written, and in what order traces are preferred.
///
/// The default reads and writes `X-Amzn-Trace-Id`, `traceparent` with `tracestate`, and `baggage`.
/// The first named that tells the caller's span decides; behind a load balancer, whose
/// `X-Amzn-Trace-Id` tells none, `traceparent` does. Correlation ids and the headers between our
/// own services are read and written in any case, as far as the
/// [`TrustPolicy`](super::TrustPolicy) allows.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use obs_core::clock::Clock;
/// use obs_core::propagate::{Propagators, TrustPolicy, field};
///
/// let mut headers = HeaderMap::new();
/// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// headers.insert(&field::TRACEPARENT, HeaderValue::from_static(parent));
///
/// let propagators = Propagators::default();
/// let extracted = propagators.extract(&headers, &TrustPolicy::edge());
/// assert_eq!(extracted.parent.unwrap().sampled, Some(true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Propagators {
    pub(super) traces: SmallVec<[TraceFormat; 2]>,
    pub(super) baggage: bool,
    pub(super) correlation: SmallVec<[CorrelationField; 2]>,
}

/// A field in which a correlation id is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CorrelationField {
    pub(super) name: HeaderName,
    /// `None` for a name of the service's own, which is looked up.
    pub(super) slot: Option<Slot>,
}

impl From<HeaderName> for CorrelationField {
    fn from(name: HeaderName) -> Self {
        Self { slot: Slot::named(name.as_str().as_bytes()), name }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TraceFormat {
    W3c,
    Xray,
}

impl Default for Propagators {
    fn default() -> Self {
        Self {
            traces: smallvec![TraceFormat::Xray, TraceFormat::W3c],
            baggage: true,
            correlation: default_correlation(),
        }
    }
}

fn default_correlation() -> SmallVec<[CorrelationField; 2]> {
    smallvec![field::X_CORRELATION_ID.clone().into(), field::X_REQUEST_ID.clone().into()]
}

impl Propagators {
    /// The propagators that `OTEL_PROPAGATORS` names, separated by commas: `tracecontext`,
    /// `baggage`, `xray`, or `none` alone. Unset means the default.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that is not one of these.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        match environment.get("OTEL_PROPAGATORS") {
            Some(names) => Self::from_names(names),
            None => Ok(Self::default()),
        }
    }

    /// The propagators named in a list, as [`Propagators::from_environment`] reads it.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that is unknown, and for `none` beside another.
    pub fn from_names(names: &str) -> Result<Self, ConfigError> {
        const RULE: &str = "must be a list of tracecontext, baggage and xray, or none alone";
        let mut this =
            Self { traces: SmallVec::new(), baggage: false, correlation: default_correlation() };
        let list = || names.split(',').map(str::trim).filter(|name| !name.is_empty());
        for name in list() {
            let format = match name {
                "tracecontext" => TraceFormat::W3c,
                "xray" => TraceFormat::Xray,
                "baggage" => {
                    this.baggage = true;
                    continue;
                }
                "none" if list().all(|name| name == "none") => continue,
                _ => return Err(ConfigError::new("OTEL_PROPAGATORS", names, RULE)),
            };
            if !this.traces.contains(&format) {
                this.traces.push(format);
            }
        }
        Ok(this)
    }

    /// Sets the headers in which a correlation id is looked for, best first; the first is the one
    /// that is written. Default `x-correlation-id`, `x-request-id`.
    ///
    /// ```
    /// use http::HeaderName;
    /// use obs_core::environment::Environment;
    /// use obs_core::propagate::Propagators;
    ///
    /// let propagators = Propagators::from_environment(&Environment::empty())?
    ///     .correlation_headers([HeaderName::from_static("x-trace-ref")])?;
    /// assert_eq!(propagators.correlation_header(), "x-trace-ref");
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] for an empty list.
    pub fn correlation_headers(
        mut self,
        headers: impl IntoIterator<Item = HeaderName>,
    ) -> Result<Self, ConfigError> {
        self.correlation = headers.into_iter().map(CorrelationField::from).collect();
        if self.correlation.is_empty() {
            return Err(ConfigError::new("correlation_headers", "[]", "must name a header"));
        }
        Ok(self)
    }

    /// The header in which the correlation id is written and echoed.
    #[must_use]
    pub fn correlation_header(&self) -> &HeaderName {
        self.correlation.first().map_or(&field::X_CORRELATION_ID, |field| &field.name)
    }
}
