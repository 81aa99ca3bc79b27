use std::time::Duration;

use crate::config::ConfigError;
use crate::environment::Environment;

/// How spans are batched; the names and defaults of
/// [OpenTelemetry's batch processor](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#batch-span-processor).
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::environment::Environment;
/// use obs_core::trace::BatchSettings;
///
/// let environment = Environment::from_iter([("OTEL_BSP_SCHEDULE_DELAY", "1000")]);
/// let settings = BatchSettings::from_environment(&environment)?;
/// assert_eq!(settings.schedule_delay, Duration::from_secs(1));
/// assert_eq!(settings.max_export_batch_size, 512);
/// assert!(settings.check().is_ok());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchSettings {
    /// Spans the queue may hold; further ones are dropped. `OTEL_BSP_MAX_QUEUE_SIZE`, default 2048.
    pub max_queue_size: usize,
    /// Spans in one batch; as soon as so many wait, a batch is sent.
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, default 512, at most the queue's size.
    pub max_export_batch_size: usize,
    /// The longest a span waits for its batch. `OTEL_BSP_SCHEDULE_DELAY` in milliseconds, default 5 s.
    /// With zero a span waits for nothing but the batch before it.
    pub schedule_delay: Duration,
    /// The longest one batch may take. `OTEL_BSP_EXPORT_TIMEOUT` in milliseconds, default 30 s.
    pub export_timeout: Duration,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            max_queue_size: 2048,
            max_export_batch_size: 512,
            schedule_delay: Duration::from_secs(5),
            export_timeout: Duration::from_secs(30),
        }
    }
}

impl BatchSettings {
    /// The defaults, changed by the `OTEL_BSP_*` variables.
    ///
    /// # Errors
    /// [`ConfigError`] naming the variable for a value that is no whole number or out of range.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        if let Some(size) = number(environment, "OTEL_BSP_MAX_QUEUE_SIZE")? {
            settings.max_queue_size = size;
            settings.max_export_batch_size = settings.max_export_batch_size.min(size);
        }
        if let Some(size) = number(environment, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")? {
            settings.max_export_batch_size = size;
        }
        if let Some(millis) = number(environment, "OTEL_BSP_SCHEDULE_DELAY")? {
            settings.schedule_delay = Duration::from_millis(millis as u64);
        }
        if let Some(millis) = number(environment, "OTEL_BSP_EXPORT_TIMEOUT")? {
            settings.export_timeout = Duration::from_millis(millis as u64);
        }
        settings.check()?;
        Ok(settings)
    }

    /// Whether the values fit together.
    ///
    /// # Errors
    /// [`ConfigError`] for a size of zero, a queue beyond a million spans, a batch larger than the
    /// queue, or an export time-out of zero.
    pub fn check(&self) -> Result<(), ConfigError> {
        const MOST: usize = 1_000_000;
        if !(1..=MOST).contains(&self.max_queue_size) {
            let rule = "must be between 1 and 1000000";
            return Err(ConfigError::new("max_queue_size", self.max_queue_size, rule));
        }
        if !(1..=self.max_queue_size).contains(&self.max_export_batch_size) {
            let rule = format!("must be between 1 and max_queue_size ({})", self.max_queue_size);
            return Err(ConfigError::new(
                "max_export_batch_size",
                self.max_export_batch_size,
                rule,
            ));
        }
        if self.export_timeout.is_zero() {
            return Err(ConfigError::new("export_timeout", "0", "must be more than zero"));
        }
        Ok(())
    }
}

fn number(environment: &Environment, name: &'static str) -> Result<Option<usize>, ConfigError> {
    let Some(text) = environment.get(name) else { return Ok(None) };
    match text.trim().parse::<u32>() {
        Ok(number) => Ok(Some(number as usize)),
        Err(_) => Err(ConfigError::new(name, text, "must be a whole number below 2^32")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_changes_the_defaults() {
        let environment = Environment::from([
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "250"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "1000"),
        ]);
        let settings = BatchSettings::from_environment(&environment).unwrap();
        assert_eq!(settings.max_queue_size, 100);
        assert_eq!(settings.max_export_batch_size, 100, "never beyond the queue");
        assert_eq!(settings.schedule_delay, Duration::from_millis(250));
        assert_eq!(settings.export_timeout, Duration::from_secs(1));
    }

    #[test]
    fn a_bad_value_is_named() {
        for (name, value) in [
            ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
        ] {
            let environment = Environment::from([(name, value)]);
            let error = BatchSettings::from_environment(&environment).unwrap_err();
            assert_eq!(error.value(), value, "{error}");
        }
    }
}
