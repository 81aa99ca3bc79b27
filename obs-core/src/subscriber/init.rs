use std::error::Error;
use std::fmt;

use super::InstallError;
use crate::config::ConfigError;
use crate::telemetry::{Telemetry, TelemetryBuilder};

impl Telemetry {
    /// Builds the telemetry of the service `service_name` from the process's environment and makes
    /// it that of the process: the one call a service with one identity needs.
    ///
    /// The same as [`Telemetry::builder`] with its defaults, then [`TelemetryBuilder::init`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::init("orders")?;
    /// tracing::info!("started");
    /// assert!(telemetry.shutdown(Duration::from_secs(5)).complete);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InitError`]; nothing has changed then.
    pub fn init(service_name: impl Into<String>) -> Result<Self, InitError> {
        Self::builder(service_name).init()
    }
}

impl TelemetryBuilder {
    /// Builds the telemetry and makes it that of the process.
    ///
    /// ```
    /// use obs_core::output::Output;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let (output, lines) = Output::captured();
    /// let telemetry = Telemetry::builder("orders").output(output).init()?;
    /// tracing::info!(port = 8080, "listening");
    /// telemetry.shutdown(std::time::Duration::from_secs(5));
    /// # let _ = lines;
    /// # Ok::<(), obs_core::subscriber::InitError>(())
    /// ```
    ///
    /// # Errors
    /// [`InitError::Config`] when the configuration or the environment breaks a rule,
    /// [`InitError::Install`] when the process has a telemetry or a subscriber already. Nothing has
    /// changed then.
    pub fn init(self) -> Result<Telemetry, InitError> {
        let telemetry = self.build().map_err(InitError::Config)?;
        telemetry.install_global().map_err(InitError::Install)?;
        Ok(telemetry)
    }
}

/// Why a telemetry could not be built and installed.
///
/// ```
/// use obs_core::environment::Environment;
/// use obs_core::subscriber::InitError;
/// use obs_core::telemetry::Telemetry;
///
/// let wrong = Environment::from_iter([("OTEL_TRACES_SAMPLER", "sometimes")]);
/// match Telemetry::builder("orders").environment(wrong).init() {
///     Err(InitError::Config(error)) => assert_eq!(error.value(), "sometimes"),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitError {
    /// The configuration or the environment breaks a rule.
    Config(ConfigError),
    /// The process has a telemetry or a subscriber already.
    Install(InstallError),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("telemetry cannot be initialised")
    }
}

impl Error for InitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Config(error) => error,
            Self::Install(error) => error,
        })
    }
}
