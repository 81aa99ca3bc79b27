//! The circuit breaker: a state machine without I/O, timers or tasks.
//!
//! ```text
//!             threshold reached                 wait over, next call
//!   Closed ---------------------> Open ------------------------------> HalfOpen
//!     ^                            ^   probes failed or hang             |
//!     |                            +-------------------------------------+
//!     +------------------------------------------------------------------+
//!                              probes succeeded
//!   ForcedOpen, Disabled, MetricsOnly: entered and left by an operator, or left by time limit
//! ```
//!
//! ```
//! use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, State};
//! use obs_core::outcome::Outcome;
//!
//! let config = CircuitBreakerConfig::new().consecutive_failures_threshold(3);
//! let breaker = CircuitBreaker::builder("inventory").config(config).build()?;
//! for _ in 0..3 {
//!     let call = breaker.try_acquire().expect("closed");
//!     call.settle(Outcome::ServerError);
//! }
//! assert_eq!(breaker.state(), State::Open);
//! let refused = breaker.try_acquire().unwrap_err();
//! assert!(refused.retry_after().is_some());
//! # Ok::<_, obs_core::config::ConfigError>(())
//! ```
//!
//! An outcome counts only in the state in which its call was admitted: a call that outlives its
//! state changes nothing. A [`Permit`] dropped without an outcome is never a success: it is a
//! failure if its [deadline](crate::deadline) had passed or it took longer than the slow threshold,
//! otherwise the caller went away and it is not counted.
//!
//! # Cost
//!
//! Admission and outcome of a closed breaker: two readings of the coarse clock, a reference count,
//! one atomic addition with a time window (two or three operations with a count window), and two
//! more for a call that has to wait. No lock, no allocation, no division but for the count window.
//! Threads count, references too, in places of their own, and share only what is rarely written.
//! Once per bucket of the window and once per tick of the slow threshold one call does the
//! housekeeping, under a lock for which at most a failed or slow call waits; such a call also adds
//! the window up, some hundred places whatever the traffic. A refusal costs no lock either.
//!
//! Memory: 5 KiB for a time window, or 1 KiB and a byte per call of a count window, and 1.5 KiB to
//! see calls that hang.
//!
//! # Several threads
//!
//! A count window is exact whatever the threads do: it always holds as many calls as it is long,
//! each counted once. Of calls that end at the same moment on several threads, the order may differ
//! from that of their answers, and a streak of failures may miss a success that ends in its middle.
//! The sum of a time window is read place by place, so that it may lack a success that is just being
//! added; of failures that end at the same moment the last to look sees all.
//!
//! # A process that was frozen
//!
//! How long a call takes, and whether it is late, is told in [running time](crate::clock::Clock::running): a
//! freeze in the middle of it does not make it slow. The window and the open wait go by the clock.

mod admission;
mod breaker;
mod builder;
mod cold;
mod config;
mod control;
mod error;
mod half_open;
mod hold;
mod in_flight;
mod judge;
mod keyed;
mod knobs;
mod machine;
mod permit;
mod series;
mod settle;
mod shard;
mod shift;
pub(crate) mod sync;
mod ticket;
mod transition;
mod verdict;
mod window;
mod word;

pub use breaker::{CircuitBreaker, Counters};
pub use builder::CircuitBreakerBuilder;
pub use config::{CircuitBreakerConfig, HalfOpenRule, OpenWait};
pub use error::{CallError, NotPermitted};
pub use keyed::{CircuitBreakers, OVERFLOW_KEY};
pub use permit::Permit;
pub use transition::{Reason, Transition};
pub use verdict::Verdict;
pub use window::{SlidingWindow, Totals};

/// The state of a breaker.
///
/// ```
/// use obs_core::circuit::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// assert_eq!(breaker.state(), State::Closed);
/// assert_eq!(State::HalfOpen.as_str(), "half_open");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Calls pass and are judged.
    Closed = 0,
    /// Calls are refused until the wait is over.
    Open = 1,
    /// A few calls pass, to see whether things are better.
    HalfOpen = 2,
    /// An operator refuses all calls.
    ForcedOpen = 3,
    /// An operator lets all calls pass and nothing counts.
    Disabled = 4,
    /// Calls pass and count, and nothing opens.
    MetricsOnly = 5,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::ForcedOpen,
        Self::Disabled,
        Self::MetricsOnly,
    ];

    /// The name used in lines, labels and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;

#[cfg(test)]
#[cfg(obs_loom)]
mod model;
