//! CloudWatch Embedded Metric Format that is never invalid and never silently lost.

pub mod aggregate;
pub mod cardinality;
#[cfg(feature = "cloudwatch")]
pub mod cloudwatch;
pub mod cold_start;
#[cfg(feature = "dashboard")]
pub mod dashboard;
pub mod declare;
pub mod encode;
pub mod ledger;
pub mod limits;
#[cfg(any(test, feature = "lint"))]
pub mod lint;
pub mod recorder;
pub mod request;
pub mod sink;

pub use declare::{Metric, Resolution, Shape, ShapeBuilder};
pub use encode::{ABSENT, Extra, Record, Series, Tail};
pub use ledger::{DropReason, Ledger, Repair, SharedLedger};
pub use limits::Transport;
