//! The `tracing` layers of the suite: events become lines, spans lend them their fields and become
//! children of the request's span.
//!
//! ```
//! use obs_core::subscriber::ObsLayer;
//! use tracing_subscriber::prelude::*;
//!
//! // Beside layers that a service has already.
//! let subscriber = tracing_subscriber::registry().with(ObsLayer::new());
//! # let _ = subscriber;
//! ```

mod child_span;
mod event_line;
mod init;
mod install;
mod layer;
mod owner;
mod panic_hook;
mod span_fields;
#[cfg(test)]
mod tests;
mod visitor;

pub use child_span::ChildSpanLayer;
pub use init::InitError;
pub use install::InstallError;
pub use layer::ObsLayer;
