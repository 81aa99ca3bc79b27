//! The shop: its services in one binary, each with its own socket, store and telemetry.
//!
//! | module | does |
//! |---|---|
//! | [`args`] | reads the command line |
//! | [`name`] | names the services and their ports |
//! | [`settings`] | reads what the environment may set |
//! | [`lock`] | lets one process at a time use the data of a service |
//! | [`record`] | keeps lines and spans in files, and finds them again |
//! | [`running`] | starts services, waits until they are ready, drains them |
//! | [`up`] | `shop up`, `shop run` |
//! | [`supervise`] | `shop up --procs` |
//! | [`commands`] | looks at a shop, or drives it, from outside |
//! | [`load`] | `shop load run` |
//! | [`observability`] | `shop observability`: dashboards and alarms |
//! | [`run_file`] | tells what runs on a data folder |
//! | [`demo`] | `shop demo` |

pub mod args;
mod client;
pub mod commands;
pub mod demo;
mod finding;
mod install;
pub mod load;
pub mod lock;
pub mod name;
pub mod observability;
mod paint;
pub mod record;
pub mod run_file;
pub mod running;
pub mod settings;
pub mod supervise;
pub mod up;

pub use install::install;
