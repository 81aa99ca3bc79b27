use std::fs;
use std::path::{Path, PathBuf};

use obs_core::config::ConfigError;

use super::{Check, CheckFuture, Observation};

/// Judges the memory in use as a fraction of the limit of the control group, or of the machine
/// where there is no limit.
///
/// Defaults: warns at 0.85, fails at 0.95. Linux only; elsewhere, or where nothing can be read, it
/// fails and says so.
///
/// ```
/// use obs_health::Dependency;
/// use obs_health::check::{MemoryCheck, MemorySource};
///
/// let memory = MemoryCheck::new()
///     .source(MemorySource::at("/sys/fs/cgroup", "/proc"))
///     .fractions(0.85, 0.95)?;
/// let dependency = Dependency::optional("memory", memory);
/// # let _ = dependency;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryCheck {
    source: MemorySource,
    warn_at: f64,
    fail_at: f64,
}

impl MemoryCheck {
    /// A check of this process's control group with the default fractions.
    #[must_use]
    pub fn new() -> Self {
        Self { source: MemorySource::default(), warn_at: 0.85, fail_at: 0.95 }
    }

    /// Reads the files of `source` instead of the machine's own.
    #[must_use]
    pub fn source(mut self, source: MemorySource) -> Self {
        self.source = source;
        self
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
        let Some((used, limit)) = self.source.read() else {
            return Observation::fail("no memory figures can be read on this machine");
        };
        let used = used as f64 / limit as f64;
        Observation::of_used(used, self.warn_at, self.fail_at, "memory")
    }
}

impl Default for MemoryCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl Check for MemoryCheck {
    fn check(&self) -> CheckFuture {
        Box::pin(std::future::ready(self.observe()))
    }

    fn component_type(&self) -> &'static str {
        "system"
    }
}

/// The files that tell how much memory is used and allowed, in this order: control groups version
/// 2, version 1, then the process's resident set against the machine's memory.
///
/// ```
/// use obs_core::control::Health;
/// use obs_health::check::{Check, MemoryCheck, MemorySource};
///
/// // Folders of a test, where nothing can be read.
/// let nowhere = MemorySource::at("/no/such/cgroup", "/no/such/proc");
/// let check = MemoryCheck::new().source(nowhere);
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// assert_ne!(check.check().await.health(), Health::Pass);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct MemorySource {
    cgroup: PathBuf,
    proc: PathBuf,
}

impl Default for MemorySource {
    fn default() -> Self {
        Self::at("/sys/fs/cgroup", "/proc")
    }
}

impl MemorySource {
    /// Reads below these folders instead of `/sys/fs/cgroup` and `/proc`.
    #[must_use]
    pub fn at(cgroup: impl Into<PathBuf>, proc: impl Into<PathBuf>) -> Self {
        Self { cgroup: cgroup.into(), proc: proc.into() }
    }

    /// Bytes in use and bytes allowed.
    fn read(&self) -> Option<(u64, u64)> {
        let machine = kibibytes(&self.proc.join("meminfo"), "MemTotal:");
        let version_2 = || self.group("memory.current", "memory.max", machine?);
        let version_1 =
            || self.group("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes", machine?);
        let process = || Some((kibibytes(&self.proc.join("self/status"), "VmRSS:")?, machine?));
        version_2().or_else(version_1).or_else(process).filter(|(_, limit)| *limit > 0)
    }

    /// `None` without such files, and without a limit below the machine's memory: version 1 writes
    /// a number near 2^63 where version 2 writes `max`.
    fn group(&self, used: &str, limit: &str, machine: u64) -> Option<(u64, u64)> {
        let limit = number(&self.cgroup.join(limit))?;
        (limit < machine).then_some((number(&self.cgroup.join(used))?, limit))
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The value of `key` in a file of `key   number kB` lines, in bytes.
fn kibibytes(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}
