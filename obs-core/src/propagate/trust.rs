/// What a service takes over from a caller, and what it tells a host it calls.
///
/// One policy per edge. [`TrustPolicy::edge`] is for callers from outside,
/// [`TrustPolicy::internal`] for our own services in both directions, and
/// [`TrustPolicy::external`] for calls to hosts that are not ours.
///
/// ```
/// use obs_core::propagate::{TraceTrust, TrustPolicy};
///
/// // A public gateway that is told the tenant by an authenticating proxy before it.
/// let policy = TrustPolicy::edge().tenant_id(true).trace(TraceTrust::Resample);
/// assert!(!policy.allows_user_id());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    trace: TraceTrust,
    allowed: u16,
}

/// How far a caller's trace is trusted.
///
/// ```
/// use obs_core::propagate::{TraceTrust, TrustPolicy};
///
/// let policy = TrustPolicy::edge().trace(TraceTrust::Link);
/// assert_eq!(policy.trace_trust(), TraceTrust::Link);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TraceTrust {
    /// Its trace is continued, and so is its sampling decision.
    #[default]
    Continue,
    /// Its trace is continued; whether to sample is decided anew.
    Resample,
    /// A new trace is started that links to the caller's.
    Link,
    /// Nothing of it is read, and nothing is sent.
    Ignore,
}

macro_rules! allowances {
    ($($(#[$doc:meta])* $bit:literal $set:ident $get:ident;)*) => {
        impl TrustPolicy {
            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $set(mut self, allowed: bool) -> Self {
                    self.allowed = if allowed { self.allowed | 1 << $bit } else { self.allowed & !(1 << $bit) };
                    self
                }

                /// Whether that is allowed.
                #[must_use]
                pub const fn $get(&self) -> bool {
                    self.allowed & 1 << $bit != 0
                }
            )*
        }
    };
}

allowances! {
    /// Allows `tracestate`.
    0 trace_state allows_trace_state;
    /// Allows `baggage`.
    1 baggage allows_baggage;
    /// Allows the correlation id.
    2 correlation_id allows_correlation_id;
    /// Allows `x-tenant-id`.
    3 tenant_id allows_tenant_id;
    /// Allows `x-user-id`.
    4 user_id allows_user_id;
    /// Allows `x-request-timeout` and `grpc-timeout`.
    5 timeout allows_timeout;
    /// Allows `x-request-attempt`.
    6 attempt allows_attempt;
    /// Allows `x-obs-debug`.
    7 debug allows_debug;
}

impl TrustPolicy {
    const fn none() -> Self {
        Self { trace: TraceTrust::Continue, allowed: 0 }
    }

    /// For callers from outside: ids and baggage are accepted; tenant, user, timeout, attempt and
    /// debug are ignored.
    #[must_use]
    pub const fn edge() -> Self {
        Self::none().trace_state(true).baggage(true).correlation_id(true)
    }

    /// Between our own services: everything is accepted and sent.
    ///
    /// ```
    /// use obs_core::propagate::TrustPolicy;
    ///
    /// let internal = TrustPolicy::internal();
    /// assert!(internal.allows_trace_state() && internal.allows_baggage());
    /// assert!(internal.allows_correlation_id() && internal.allows_tenant_id());
    /// assert!(internal.allows_timeout() && internal.allows_attempt() && internal.allows_debug());
    /// // A message may wait for days.
    /// assert!(!TrustPolicy::message().allows_timeout());
    /// assert!(!TrustPolicy::external().allows_baggage());
    ///
    /// // Piece by piece.
    /// let policy = TrustPolicy::external()
    ///     .trace_state(true)
    ///     .baggage(true)
    ///     .correlation_id(false)
    ///     .user_id(true)
    ///     .timeout(true)
    ///     .attempt(true)
    ///     .debug(false);
    /// assert!(policy.allows_user_id() && !policy.allows_correlation_id());
    /// ```
    #[must_use]
    pub const fn internal() -> Self {
        Self::edge().tenant_id(true).user_id(true).timeout(true).attempt(true).debug(true)
    }

    /// For messages between our own services: everything but timeout and attempt, which mean
    /// nothing to a message that waits in a queue.
    #[must_use]
    pub const fn message() -> Self {
        Self::internal().timeout(false).attempt(false)
    }

    /// For calls to hosts that are not ours: trace and correlation ids are sent, all else is
    /// stripped.
    #[must_use]
    pub const fn external() -> Self {
        Self::none().correlation_id(true)
    }

    /// Sets how far the trace is trusted. Default [`TraceTrust::Continue`].
    #[must_use]
    pub const fn trace(mut self, trust: TraceTrust) -> Self {
        self.trace = trust;
        self
    }

    /// How far the trace is trusted.
    ///
    /// ```
    /// use obs_core::propagate::{TraceTrust, TrustPolicy};
    ///
    /// assert_eq!(TrustPolicy::edge().trace_trust(), TraceTrust::Continue);
    /// ```
    #[must_use]
    pub const fn trace_trust(&self) -> TraceTrust {
        self.trace
    }
}

impl Default for TrustPolicy {
    fn default() -> Self {
        Self::edge()
    }
}
