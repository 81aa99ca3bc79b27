//! A budget of series: no dimension may take so many values that the bill explodes.
//!
//! CloudWatch bills each combination of a metric's name and dimension values for each hour in
//! which it gets data. A [`Guard`] counts the values that each dimension of each metric took in
//! the current hour, and says what to do with values beyond the budget. It is held by
//! [`EventAggregator::guard`](crate::aggregate::EventAggregator::guard), for events, and by
//! [`EmfRecorder::guard`](crate::recorder::EmfRecorder::guard), for counters, gauges and
//! histograms. [`SeriesReport`] tells before anything runs how many series declarations can make.
//!
//! ```
//! use obs_core::clock::Clock;
//! use obs_emf::cardinality::{Guard, Overflow};
//!
//! let guard = Guard::new(1, Overflow::Other, Clock::system())?;
//! assert_eq!(guard.admit("Items", "Channel", "web"), None);
//! assert_eq!(guard.admit("Items", "Channel", "app"), Some(Overflow::Other));
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod events;
mod guard;
mod report;

pub(crate) use events::EventBudget;
pub use guard::Guard;

pub use crate::declare::Overflow;
pub use report::SeriesReport;

/// What stands for values above a budget.
pub(crate) const OTHER: &str = "__other__";
