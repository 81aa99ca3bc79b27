use std::path::{Path, PathBuf};

use obs_core::config::ConfigError;

use super::{Check, CheckFuture, Observation, blocking};

/// Judges the used fraction of the file system that holds a path.
///
/// Used is what the service itself cannot write to any more, reserved blocks included. Defaults:
/// warns at 0.85, fails at 0.95.
///
/// ```
/// use obs_health::Dependency;
/// use obs_health::check::DiskCheck;
///
/// let disk = DiskCheck::new("/var/lib/orders").fractions(0.8, 0.95)?;
/// let dependency = Dependency::optional("disk", disk);
/// # let _ = dependency;
/// assert!(DiskCheck::new("/").fractions(0.9, 0.8).is_err());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DiskCheck {
    path: PathBuf,
    warn_at: f64,
    fail_at: f64,
}

impl DiskCheck {
    /// A check of the file system that holds `path`.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), warn_at: 0.85, fail_at: 0.95 }
    }

    /// Sets the fractions at which it warns and fails.
    ///
    /// # Errors
    /// [`ConfigError`] unless `0 < warn_at <= fail_at <= 1`.
    pub fn fractions(mut self, warn_at: f64, fail_at: f64) -> Result<Self, ConfigError> {
        (self.warn_at, self.fail_at) = super::observation::fractions(warn_at, fail_at)?;
        Ok(self)
    }

    fn observe(&self) -> Observation {
        match rustix::fs::statvfs(&self.path) {
            Ok(found) if found.f_blocks > 0 => {
                let used = 1.0 - found.f_bavail as f64 / found.f_blocks as f64;
                Observation::of_used(used, self.warn_at, self.fail_at, "the disk")
            }
            Ok(_) => Observation::fail("the file system tells no size"),
            Err(error) => Observation::fail(error.to_string()),
        }
    }
}

impl Check for DiskCheck {
    fn check(&self) -> CheckFuture {
        let check = self.clone();
        // A network file system can block for as long as it likes.
        blocking(move || check.observe()).check()
    }

    fn component_type(&self) -> &'static str {
        "system"
    }
}
