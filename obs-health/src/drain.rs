//! Shutting down without failing a request: readiness first, then a wait, then the door.
//!
//! Load balancers learn from readiness that an instance goes away, and take a while to do so. Until
//! then they still send requests, which must be served.
//!
//! ```
//! use std::time::Duration;
//!
//! use obs_health::drain::Drain;
//!
//! assert_eq!(Drain::ecs().wait_time() + Drain::ecs().in_flight_limit(), Duration::from_secs(25));
//! ```

use std::time::Duration;

use obs_core::config::ConfigError;

/// How a service stops.
///
/// ```
/// use std::time::Duration;
/// use obs_health::drain::Drain;
///
/// let drain = Drain::eks().wait(Duration::from_secs(8))?;
/// assert_eq!(drain.in_flight_limit(), Duration::from_secs(15));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    wait: Duration,
    in_flight_limit: Duration,
}

/// More than an hour is a mistake of units.
const MAX: Duration = Duration::from_secs(3_600);

impl Drain {
    /// For a service that nothing balances: no wait, 5 s for requests in flight.
    #[must_use]
    pub const fn immediate() -> Self {
        Self { wait: Duration::ZERO, in_flight_limit: Duration::from_secs(5) }
    }

    /// Behind an Application Load Balancer whose target group checks readiness.
    ///
    /// Waits 20 s: two failed checks at an interval of 10 s
    /// ([health checks](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html):
    /// unhealthy threshold 2). Then 30 s for requests in flight.
    #[must_use]
    pub const fn alb() -> Self {
        Self { wait: Duration::from_secs(20), in_flight_limit: Duration::from_secs(30) }
    }

    /// On ECS, within its default `stopTimeout` of
    /// [30 s](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html).
    ///
    /// ECS deregisters the task from its target group before it sends SIGTERM: waits 5 s, then 20 s
    /// for requests in flight.
    #[must_use]
    pub const fn ecs() -> Self {
        Self { wait: Duration::from_secs(5), in_flight_limit: Duration::from_secs(20) }
    }

    /// On EKS, within the default `terminationGracePeriodSeconds` of
    /// [30 s](https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination).
    ///
    /// Endpoints are taken out while SIGTERM is under way: waits 10 s, then 15 s for requests in
    /// flight.
    #[must_use]
    pub const fn eks() -> Self {
        Self { wait: Duration::from_secs(10), in_flight_limit: Duration::from_secs(15) }
    }

    /// On Lambda, where a function with an extension has
    /// [500 ms](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html) after
    /// SIGTERM and no request comes any more: no wait, 300 ms.
    #[must_use]
    pub const fn lambda() -> Self {
        Self { wait: Duration::ZERO, in_flight_limit: Duration::from_millis(300) }
    }

    /// Sets the time between readiness failing and the listener closing.
    ///
    /// # Errors
    /// [`ConfigError`] above an hour.
    pub fn wait(mut self, wait: Duration) -> Result<Self, ConfigError> {
        self.wait = checked("wait", wait)?;
        Ok(self)
    }

    /// Sets the time that requests in flight get after the listener has closed.
    ///
    /// # Errors
    /// [`ConfigError`] above an hour.
    pub fn limit_in_flight(mut self, limit: Duration) -> Result<Self, ConfigError> {
        self.in_flight_limit = checked("limit_in_flight", limit)?;
        Ok(self)
    }

    /// The time between readiness failing and the listener closing.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_health::drain::Drain;
    ///
    /// assert_eq!(Drain::immediate().wait_time(), Duration::ZERO);
    /// assert!(Drain::ecs().wait_time() < Drain::alb().wait_time());
    /// assert_eq!(Drain::lambda().wait_time(), Duration::ZERO);
    /// let patient = Drain::ecs().limit_in_flight(Duration::from_secs(25))?;
    /// assert_eq!(patient.in_flight_limit(), Duration::from_secs(25));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn wait_time(&self) -> Duration {
        self.wait
    }

    /// The time that requests in flight get after the listener has closed.
    #[must_use]
    pub const fn in_flight_limit(&self) -> Duration {
        self.in_flight_limit
    }
}

fn checked(field: &'static str, value: Duration) -> Result<Duration, ConfigError> {
    if value > MAX {
        return Err(ConfigError::new(field, format!("{value:?}"), "must be at most an hour"));
    }
    Ok(value)
}
