//! The shop: five services in one binary, each with its own socket, store and telemetry.
//!
//! | module | does |
//! |---|---|
//! | [`args`] | reads the command line |
//! | [`name`] | names the services and their ports |
//! | [`settings`] | reads what the environment may set |
//! | [`running`] | starts services, waits until they are ready, drains them |
//! | [`up`] | `shop up` |
//! | [`demo`] | `shop demo` |

pub mod args;
pub mod demo;
mod install;
pub mod name;
pub mod running;
pub mod settings;
pub mod up;

pub use install::install;
