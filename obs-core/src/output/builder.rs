use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::Output;
use super::lane::{Destination, Lane, Settings};
use super::queue::CHUNK_BYTES;
use crate::config::ConfigError;

pub(super) const DEFAULT_SETTINGS: Settings = Settings {
    capacity: 8 * 1024 * 1024,
    high_water: 4 * CHUNK_BYTES,
    flush_interval: Duration::from_millis(10),
};

const SMALLEST_CAPACITY: usize = 4 * 1024;

/// Describes an [`Output`].
///
/// ```
/// use obs_core::output::{Output, RotatingFile};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let output = Output::builder()
///     .stdout()
///     .destination(RotatingFile::open("/var/log/orders.log", 64 * 1024 * 1024, 3)?)
///     .capacity_bytes(4 * 1024 * 1024)
///     .build()?;
/// # let _ = output;
/// # Ok(())
/// # }
/// ```
pub struct OutputBuilder {
    settings: Settings,
    high_water: Option<usize>,
    destinations: Vec<Destination>,
}

impl Default for OutputBuilder {
    fn default() -> Self {
        Self { settings: DEFAULT_SETTINGS, high_water: None, destinations: Vec::new() }
    }
}

impl OutputBuilder {
    /// Adds the standard output of the process.
    #[must_use]
    pub fn stdout(self) -> Self {
        self.destination(std::io::stdout())
    }

    /// Adds a destination, with a queue, a thread and a ledger of its own: one that is stuck does
    /// not hold up the others. Without any, lines go to the standard output.
    #[must_use]
    pub fn destination(mut self, destination: impl Write + Send + 'static) -> Self {
        self.destinations.push(Box::new(destination));
        self
    }

    /// The most bytes that may wait for each destination. Default 8 MiB, at least 4 KiB.
    ///
    /// Debug lines may fill half of it, info lines three quarters, warnings seven eighths,
    /// request lines and metrics fifteen sixteenths, errors all.
    #[must_use]
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.settings.capacity = bytes;
        self
    }

    /// How many waiting bytes make the writer start before the interval has passed. At
    /// least 1, at most half of the capacity; default 256 KiB, or half of a smaller capacity.
    #[must_use]
    pub fn high_water_bytes(mut self, bytes: usize) -> Self {
        self.high_water = Some(bytes);
        self
    }

    /// How long lines gather before they are written. Default 10 ms; between 1 ms and 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::output::Output;
    ///
    /// let output = Output::builder()
    ///     .destination(std::io::sink())
    ///     .capacity_bytes(1024 * 1024)
    ///     .high_water_bytes(64 * 1024)
    ///     .flush_interval(Duration::from_millis(50))
    ///     .build()?;
    /// assert!(output.shutdown(Duration::from_secs(1)));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.settings.flush_interval = interval;
        self
    }

    /// Builds the output. Its threads start with their first line.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that is out of its range.
    pub fn build(mut self) -> Result<Output, ConfigError> {
        let Settings { capacity, flush_interval, .. } = self.settings;
        let high_water = self.high_water.unwrap_or(DEFAULT_SETTINGS.high_water.min(capacity / 2));
        if capacity < SMALLEST_CAPACITY {
            return Err(ConfigError::new("capacity_bytes", capacity, "must be at least 4096"));
        }
        if high_water == 0 || high_water > capacity / 2 {
            let rule = "must be between 1 and half of capacity_bytes";
            return Err(ConfigError::new("high_water_bytes", high_water, rule));
        }
        if flush_interval < Duration::from_millis(1) || flush_interval > Duration::from_secs(10) {
            let value = format!("{flush_interval:?}");
            return Err(ConfigError::new("flush_interval", value, "must be between 1 ms and 10 s"));
        }
        self.settings.high_water = high_water;
        if self.destinations.is_empty() {
            self.destinations.push(Box::new(std::io::stdout()));
        }
        let lanes = self.destinations.into_iter();
        let lanes = lanes.map(|to| Arc::new(Lane::new(self.settings.clone(), to))).collect();
        Ok(Output::from_lanes(lanes))
    }
}

impl fmt::Debug for OutputBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputBuilder")
            .field("settings", &self.settings)
            .field("destinations", &self.destinations.len())
            .finish()
    }
}
