#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! # Modules and features
//!
//! A [`Shape`] declares once what events of a kind have in common; its `_aws` member is compiled
//! and copied. A [`Record`] is one event; a [`sink::Sink`] takes it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`declare`] | metrics, dimensions and shapes |
//! | [`request`] | the metrics of requests |
//! | [`encode`] | records, and how they become lines |
//! | [`limits`] | the limits of CloudWatch and of the ways a line can travel |
//! | [`ledger`] | what became of every data point |
//! | [`aggregate`] | windows: events in three modes, and the flusher |
//! | [`recorder`] | counters, gauges and histograms; the `metrics` facade |
//! | [`cardinality`] | the budget of series, and their report |
//! | [`sink`] | lines and the CloudWatch agent |
//! | `cloudwatch` | `PutMetricData` |
//! | `dashboard` | dashboards, alarms and queries from declarations |
//! | `lint` | judges lines, also in tests |
//! | [`cold_start`] | the cold start of a Lambda function |
//!
//! | feature | adds |
//! |---|---|
//! | `agent` | the CloudWatch agent over TCP and UDP |
//! | `cloudwatch` | `PutMetricData` through `aws-sdk-cloudwatch`, whose client the caller makes |
//! | `dashboard` | `dashboard` |
//! | `lint` | `lint` and the command `emf-lint` |
//! | `metrics-facade` | `recorder::Facade` for the `metrics` crate |
//!
//! # Cost
//! Writing an event, gathering one, and using a handle do not allocate once buffers have grown to
//! their working size. No call blocks on a destination.

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
mod value;

// The tests share the contract of sinks with those from outside, which know the crate by its name.
#[cfg(all(test, feature = "cloudwatch"))]
extern crate self as obs_emf;

pub use declare::{Metric, Resolution, Shape, ShapeBuilder};
pub use encode::{ABSENT, Extra, Record, Series, Tail};
pub use ledger::{DropReason, Ledger, Repair, SharedLedger};
pub use limits::Transport;
