use std::sync::Arc;

use super::{Redactor, escape};
use crate::config::ConfigError;

/// What all lines of one service share.
///
/// ```
/// use obs_core::log::{LineFormat, Redactor};
///
/// let format = LineFormat::new("orders").redactor(Redactor::new().emails(true));
/// assert!(format.clone().max_line_bytes(256 * 1024).is_ok());
/// assert!(format.max_line_bytes(0).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct LineFormat {
    /// `,"service":"orders"`, ready to be copied.
    pub(super) service: Box<[u8]>,
    pub(super) max_line_bytes: usize,
    pub(super) redactor: Arc<Redactor>,
}

impl LineFormat {
    /// The longest event CloudWatch Logs takes, 256 KiB, less the 26 bytes it adds to each
    /// ([quotas](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)).
    pub const DEFAULT_MAX_LINE_BYTES: usize = 256 * 1024 - 26;

    /// The shortest limit that leaves room for the ids and one cut field.
    pub const MIN_LINE_BYTES: usize = 4 * 1024;

    /// The format of lines of `service_name`.
    #[must_use]
    pub fn new(service_name: &str) -> Self {
        let mut service = b",\"service\":\"".to_vec();
        escape::write(&mut service, service_name, 255);
        service.push(b'"');
        Self {
            service: service.into_boxed_slice(),
            max_line_bytes: Self::DEFAULT_MAX_LINE_BYTES,
            redactor: Arc::default(),
        }
    }

    /// Sets which values are hidden. Default [`Redactor::new`].
    #[must_use]
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = Arc::new(redactor);
        self
    }

    /// Sets the longest line, in bytes with its line feed.
    ///
    /// Default [`LineFormat::DEFAULT_MAX_LINE_BYTES`]. Where a container runtime cuts lines,
    /// 16,384 keeps them whole.
    ///
    /// # Errors
    /// [`ConfigError`] when it is less than [`LineFormat::MIN_LINE_BYTES`].
    pub fn max_line_bytes(mut self, bytes: usize) -> Result<Self, ConfigError> {
        if bytes < Self::MIN_LINE_BYTES {
            return Err(ConfigError::new("max_line_bytes", bytes, "must be at least 4096"));
        }
        self.max_line_bytes = bytes;
        Ok(self)
    }
}
