//! The verdict on a trace, before any span exists.

mod environment;
mod rate_limited;
mod ratio;
#[cfg(feature = "xray-daemon")]
mod xray;

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::ConfigError;
use crate::id::TraceId;

use rate_limited::RateLimited;
use ratio::Ratio;
#[cfg(feature = "xray-daemon")]
pub use xray::{XraySampler, XraySamplerBuilder};

/// What a sampler may look at: what is known when the headers of a request have arrived.
///
/// ```
/// use obs_core::id::TraceId;
/// use obs_core::trace::{Sampler, SamplingInput};
///
/// let input = SamplingInput::new(TraceId::new(7).expect("not zero"), "orders")
///     .parent_sampled(Some(false))
///     .http("GET", "/orders/7", "shop.example")
///     .attributes(&[("tenant", "acme")]);
/// // The caller has decided already.
/// assert!(!Sampler::parent_based(Sampler::always_on()).decide(&input).sampled);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SamplingInput<'a> {
    /// The trace the request belongs to.
    pub trace_id: TraceId,
    /// The caller's verdict; `None` if there is no caller or it left the decision to us.
    pub parent_sampled: Option<bool>,
    /// The request method, or empty.
    pub method: &'a str,
    /// The path without the query, or empty.
    pub path: &'a str,
    /// The `Host` header or `:authority`, or empty.
    pub host: &'a str,
    /// The name of the service that decides.
    pub service: &'a str,
    /// Further facts that rules of X-Ray may ask for.
    pub attributes: &'a [(&'a str, &'a str)],
}

impl<'a> SamplingInput<'a> {
    /// Input for work that is no HTTP request and has no caller.
    #[must_use]
    pub const fn new(trace_id: TraceId, service: &'a str) -> Self {
        Self {
            trace_id,
            parent_sampled: None,
            method: "",
            path: "",
            host: "",
            service,
            attributes: &[],
        }
    }

    /// Sets the caller's verdict.
    #[must_use]
    pub const fn parent_sampled(mut self, sampled: Option<bool>) -> Self {
        self.parent_sampled = sampled;
        self
    }

    /// Sets further facts.
    #[must_use]
    pub const fn attributes(mut self, attributes: &'a [(&'a str, &'a str)]) -> Self {
        self.attributes = attributes;
        self
    }

    /// Sets method, path and host of an HTTP request.
    #[must_use]
    pub const fn http(mut self, method: &'a str, path: &'a str, host: &'a str) -> Self {
        self.method = method;
        self.path = path;
        self.host = host;
        self
    }
}

/// A sampler's verdict.
///
/// ```
/// use obs_core::trace::Decision;
///
/// assert!(Decision::new(true).sampled);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Whether the spans of this request are recorded, and the callees are told so.
    pub sampled: bool,
}

impl Decision {
    /// The verdict `sampled`.
    #[must_use]
    pub const fn new(sampled: bool) -> Self {
        Self { sampled }
    }
}

/// A sampler of one's own; see [`Sampler::custom`].
///
/// It is asked once per request, on the request's path: it must not block.
///
/// ```
/// use obs_core::id::TraceId;
/// use obs_core::trace::{Decision, Sample, Sampler, SamplingInput};
///
/// /// Records what is written and nothing that is read.
/// #[derive(Debug)]
/// struct Writes;
///
/// impl Sample for Writes {
///     fn sample(&self, input: &SamplingInput<'_>) -> Decision {
///         Decision::new(input.method != "GET")
///     }
/// }
///
/// let sampler = Sampler::custom(Writes);
/// let trace = TraceId::new(7).expect("not zero");
/// let read = SamplingInput::new(trace, "orders").http("GET", "/orders/7", "shop.example");
/// assert!(!sampler.decide(&read).sampled);
/// ```
pub trait Sample: Send + Sync + fmt::Debug + 'static {
    /// Decides about one request.
    fn sample(&self, input: &SamplingInput<'_>) -> Decision;
}

/// Decides which traces are recorded; cheap to clone.
///
/// The default follows the caller and records everything else, as `parentbased_always_on` does.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::id::TraceId;
/// use obs_core::trace::{Sampler, SamplingInput};
///
/// let sampler = Sampler::parent_based(Sampler::ratio(0.05)?);
/// let id = TraceId::from_hex("5759e988bd862e3f0be46a994272793f").unwrap();
/// let called = SamplingInput::new(id, "orders").parent_sampled(Some(true));
/// assert!(sampler.decide(&called).sampled, "the caller's verdict stands");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sampler(Kind);

#[derive(Clone, Debug)]
enum Kind {
    AlwaysOn,
    AlwaysOff,
    Ratio(Ratio),
    RateLimited(Arc<RateLimited>),
    ParentBased(Arc<Kind>),
    Custom(Arc<dyn Sample>),
}

impl Default for Sampler {
    fn default() -> Self {
        Self::parent_based(Self::always_on())
    }
}

impl Sampler {
    /// Records every trace, whatever the caller decided.
    ///
    /// ```
    /// use obs_core::id::TraceId;
    /// use obs_core::trace::{Sampler, SamplingInput};
    ///
    /// let input = SamplingInput::new(TraceId::new(7).expect("not zero"), "orders");
    /// assert!(Sampler::always_on().decide(&input).sampled);
    /// ```
    #[must_use]
    pub const fn always_on() -> Self {
        Self(Kind::AlwaysOn)
    }

    /// Records no trace.
    #[must_use]
    pub const fn always_off() -> Self {
        Self(Kind::AlwaysOff)
    }

    /// Records a share of the traces, the same in every service: the verdict depends on the trace
    /// id alone.
    ///
    /// It reads 63 random bits of the id, as OpenTelemetry's SDKs for Go and Rust do; the high 32
    /// bits are a clock in ids that X-Ray accepts, and take no part.
    ///
    /// # Errors
    /// [`ConfigError`] unless `ratio` is between 0 and 1.
    pub fn ratio(ratio: f64) -> Result<Self, ConfigError> {
        Ok(Self(Kind::Ratio(Ratio::new(ratio)?)))
    }

    /// Records up to `per_second` traces each second, and of the others the share `beyond`.
    ///
    /// Tokens gather for at most one second, so a burst after a pause is no larger than one
    /// second's worth.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::id::TraceId;
    /// use obs_core::trace::{Sampler, SamplingInput};
    ///
    /// // One trace a second, and a twentieth of the rest.
    /// let sampler = Sampler::rate_limited(1, 0.05, Clock::system())?;
    /// let input = SamplingInput::new(TraceId::new(7).expect("not zero"), "orders");
    /// assert!(sampler.decide(&input).sampled);
    /// assert!(!Sampler::always_off().decide(&input).sampled);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] unless `per_second` is between 1 and a million, and `beyond` between 0 and 1.
    pub fn rate_limited(per_second: u32, beyond: f64, clock: Clock) -> Result<Self, ConfigError> {
        Ok(Self(Kind::RateLimited(Arc::new(RateLimited::new(per_second, beyond, clock)?))))
    }

    /// Follows the caller's verdict; where there is none, asks `root`.
    #[must_use]
    pub fn parent_based(root: Self) -> Self {
        Self(Kind::ParentBased(Arc::new(root.0)))
    }

    /// Asks `sampler`.
    ///
    /// ```
    /// use obs_core::trace::{Decision, Sample, Sampler, SamplingInput};
    ///
    /// #[derive(Debug)]
    /// struct Writes;
    ///
    /// impl Sample for Writes {
    ///     fn sample(&self, input: &SamplingInput<'_>) -> Decision {
    ///         Decision::new(input.method != "GET")
    ///     }
    /// }
    /// let sampler = Sampler::parent_based(Sampler::custom(Writes));
    /// # let _ = sampler;
    /// ```
    #[must_use]
    pub fn custom(sampler: impl Sample) -> Self {
        Self(Kind::Custom(Arc::new(sampler)))
    }

    /// Whether its verdict may depend on more than the trace id and the caller's verdict; if not,
    /// there is no need to tell it of method, path and host.
    ///
    /// ```
    /// use obs_core::trace::Sampler;
    ///
    /// assert!(!Sampler::always_off().reads_requests());
    /// ```
    #[must_use]
    pub fn reads_requests(&self) -> bool {
        self.0.reads_requests()
    }

    /// Decides about one request. Never blocks, allocates nothing.
    #[inline]
    #[must_use]
    pub fn decide(&self, input: &SamplingInput<'_>) -> Decision {
        self.0.decide(input)
    }
}

impl Kind {
    fn reads_requests(&self) -> bool {
        match self {
            Self::AlwaysOn | Self::AlwaysOff | Self::Ratio(_) | Self::RateLimited(_) => false,
            Self::ParentBased(root) => root.reads_requests(),
            Self::Custom(_) => true,
        }
    }

    fn decide(&self, input: &SamplingInput<'_>) -> Decision {
        match self {
            Self::AlwaysOn => Decision::new(true),
            Self::AlwaysOff => Decision::new(false),
            Self::Ratio(ratio) => Decision::new(ratio.admits(input.trace_id)),
            Self::RateLimited(limited) => Decision::new(limited.admits(input.trace_id)),
            Self::ParentBased(root) => {
                input.parent_sampled.map_or_else(|| root.decide(input), Decision::new)
            }
            Self::Custom(sampler) => sampler.sample(input),
        }
    }
}

#[cfg(test)]
mod tests;
