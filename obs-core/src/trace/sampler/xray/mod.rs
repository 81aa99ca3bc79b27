//! X-Ray's centralized sampling: rules kept in one place, quotas shared by a fleet.

mod api;
mod client;
mod poller;
mod reservoir;
mod rule;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::ConfigError;
use crate::environment::Environment;
use crate::id::IdGenerator;
use crate::resource::Resource;
use crate::trace::xray::{DaemonAddress, origin};

use super::{Decision, Sample, SamplingInput};
use client::DaemonClient;
use poller::Handle;
use rules::Rules;

/// Decides by the
/// [sampling rules](https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html)
/// of an AWS account, which it fetches through the X-Ray daemon.
///
/// Of the requests that match a rule, it records as many each second as the account's quota gives
/// this client, and of the others the rule's share. Until a quota comes it borrows one request each
/// second. Without rules, or with rules older than an hour, it records one request each second and 5
/// of 100 others.
///
/// A thread of its own asks the daemon, for rules every 5 minutes and for quotas every 10 s; it ends
/// with the last clone. A decision blocks for no longer than a count takes.
///
/// ```no_run
/// use obs_core::clock::Clock;
/// use obs_core::environment::Environment;
/// use obs_core::trace::{Sampler, XraySampler};
///
/// let rules = XraySampler::from_environment(&Environment::process(), &Clock::system())?;
/// let sampler = Sampler::parent_based(Sampler::custom(rules));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct XraySampler {
    rules: Arc<Rules>,
    _thread: Arc<Handle>,
}

impl XraySampler {
    /// A sampler that asks the daemon at `address`.
    ///
    /// ```
    /// use obs_core::trace::{DaemonAddress, XraySampler};
    ///
    /// let builder = XraySampler::builder(DaemonAddress::parse("127.0.0.1:2000")?);
    /// # let _ = builder;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn builder(address: DaemonAddress) -> XraySamplerBuilder {
        XraySamplerBuilder {
            daemon: address.tcp().to_owned(),
            clock: Clock::system(),
            ids: IdGenerator::system(),
            service_type: String::new(),
            rules_interval: Duration::from_secs(300),
        }
    }

    /// The sampler that `AWS_XRAY_DAEMON_ADDRESS` and `OTEL_TRACES_SAMPLER_ARG` describe. The latter
    /// is `endpoint=http://host:port,polling_interval=seconds`, both optional, and wins. What runs the
    /// service is taken from what the environment says about the resource.
    ///
    /// # Errors
    /// [`ConfigError`] naming the variable whose value cannot be used.
    pub fn from_environment(environment: &Environment, clock: &Clock) -> Result<Self, ConfigError> {
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let mut builder =
            Self::builder(DaemonAddress::from_environment(environment)?).clock(clock.clone());
        let resource = Resource::from_environment(environment)?;
        if let Some(origin) = resource.get("cloud.platform").and_then(origin) {
            builder = builder.service_type(origin);
        }
        let text = environment.get(ARGUMENT).unwrap_or_default();
        for member in text.split(',').map(str::trim).filter(|member| !member.is_empty()) {
            let refused = |rule| ConfigError::new(ARGUMENT, member, rule);
            match member.split_once('=') {
                Some(("endpoint", url)) => {
                    let host = url.trim_start_matches("http://").trim_end_matches('/');
                    let address = DaemonAddress::parse(host);
                    let address = address.map_err(|_| refused("must be http://host:port"))?;
                    address.tcp().clone_into(&mut builder.daemon);
                }
                Some(("polling_interval", seconds)) => {
                    let seconds = seconds.parse::<u32>().ok().filter(|seconds| *seconds > 0);
                    let seconds = seconds.ok_or_else(|| refused("must be seconds above 0"))?;
                    builder.rules_interval = Duration::from_secs(u64::from(seconds));
                }
                _ => return Err(refused("must be endpoint=… or polling_interval=…")),
            }
        }
        builder.build()
    }
}

impl Sample for XraySampler {
    fn sample(&self, input: &SamplingInput<'_>) -> Decision {
        Decision::new(self.rules.decide(input))
    }
}

impl fmt::Debug for XraySampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XraySampler").field("rules", &self.rules.names()).finish_non_exhaustive()
    }
}

/// Builds an [`XraySampler`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_core::trace::{DaemonAddress, Sampler, XraySampler};
///
/// let sampler = XraySampler::builder(DaemonAddress::parse("127.0.0.1:2000")?)
///     .clock(Clock::system())
///     .ids(IdGenerator::system())
///     .service_type("AWS::ECS::Container")
///     .rules_interval(Duration::from_secs(300))
///     .build()?;
/// let sampler = Sampler::parent_based(Sampler::custom(sampler));
/// # let _ = sampler;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct XraySamplerBuilder {
    daemon: String,
    clock: Clock,
    ids: IdGenerator,
    service_type: String,
    rules_interval: Duration,
}

impl XraySamplerBuilder {
    /// Sets the clock that quotas are counted with; by default the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the source of the client's id and of the jitter between polls. Default: the system's.
    #[must_use]
    pub fn ids(mut self, ids: IdGenerator) -> Self {
        self.ids = ids;
        self
    }

    /// Sets what runs the service, such as `AWS::ECS::Container`; by default unknown, which only
    /// rules for every type match.
    #[must_use]
    pub fn service_type(mut self, service_type: impl Into<String>) -> Self {
        self.service_type = service_type.into();
        self
    }

    /// Sets the time between two looks at the rules. Default 5 min.
    #[must_use]
    pub const fn rules_interval(mut self, interval: Duration) -> Self {
        self.rules_interval = interval;
        self
    }

    /// Builds the sampler and starts its thread.
    ///
    /// # Errors
    /// [`ConfigError`] when the interval is below one second or the thread cannot be started.
    pub fn build(self) -> Result<XraySampler, ConfigError> {
        if self.rules_interval < Duration::from_secs(1) {
            let rule = "must be at least one second";
            let value = format!("{:?}", self.rules_interval);
            return Err(ConfigError::new("rules_interval", value, rule));
        }
        let rules = Arc::new(Rules::new(self.clock, self.service_type));
        let poller = poller::Poller::new(Arc::clone(&rules), self.ids, self.rules_interval);
        let thread = Handle::start(poller, DaemonClient::new(self.daemon))?;
        Ok(XraySampler { rules, _thread: Arc::new(thread) })
    }
}
