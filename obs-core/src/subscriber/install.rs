use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::layer::SubscriberExt;

use super::{ObsLayer, panic_hook};
use crate::telemetry::Telemetry;
use crate::telemetry::live_filters::one_at_a_time;

static INSTALLING: Mutex<()> = Mutex::new(());

impl Telemetry {
    /// Makes this the telemetry of the process: events outside of any request belong to it, and
    /// `tracing` writes through it.
    ///
    /// Also replaces the panic hook: a panic becomes one `ERROR` line with the ids of the request
    /// it happened in, instead of text on the standard error output.
    ///
    /// All or nothing: when it fails, nothing has changed.
    ///
    /// ```no_run
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// telemetry.install_global()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InstallError`] when there is a telemetry of the process, or a `tracing` subscriber, that
    /// was installed before. Beside a subscriber of your own use
    /// [`ObsLayer::new`](crate::subscriber::ObsLayer::new) and
    /// [`install_beside`](Self::install_beside).
    pub fn install_global(&self) -> Result<(), InstallError> {
        self.install(|| {
            let subscriber = tracing_subscriber::registry().with(ObsLayer::alone());
            one_at_a_time(|| tracing::subscriber::set_global_default(subscriber))
                .map_err(|_| InstallError::Subscriber)
        })
    }

    /// Makes this the telemetry of the process and leaves the `tracing` subscriber alone, which is
    /// the caller's and has an [`ObsLayer`] among its layers.
    ///
    /// ```
    /// use obs_core::subscriber::ObsLayer;
    /// use obs_core::telemetry::Telemetry;
    /// use tracing_subscriber::prelude::*;
    ///
    /// tracing_subscriber::registry().with(ObsLayer::new()).try_init()?;
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// telemetry.install_beside()?;
    /// assert!(Telemetry::global().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InstallError::Telemetry`] when there is a telemetry of the process already.
    pub fn install_beside(&self) -> Result<(), InstallError> {
        self.install(|| Ok(()))
    }

    fn install(
        &self,
        subscriber: impl FnOnce() -> Result<(), InstallError>,
    ) -> Result<(), InstallError> {
        let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        if Self::global().is_some() {
            return Err(InstallError::Telemetry);
        }
        subscriber()?;
        self.set_global();
        panic_hook::install();
        Ok(())
    }
}

/// Why a telemetry could not become that of the process.
///
/// ```
/// use obs_core::subscriber::InstallError;
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// match telemetry.install_global() {
///     Ok(()) => {}
///     // Another part of the program was faster; its telemetry stays the process's.
///     Err(error @ (InstallError::Telemetry | InstallError::Subscriber)) => eprintln!("{error}"),
///     Err(error) => panic!("{error}"),
/// }
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallError {
    /// There is one already.
    Telemetry,
    /// `tracing` has a global subscriber already.
    Subscriber,
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Telemetry => "the process has a telemetry already",
            Self::Subscriber => "the process has a tracing subscriber already",
        })
    }
}

impl Error for InstallError {}
