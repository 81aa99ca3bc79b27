//! Other limits for some keys.

use obs_core::config::ConfigError;

use crate::key::Key;
use crate::quota::Quota;

/// The limit of one key.
///
/// ```
/// use obs_ratelimit::{Limit, Overrides, Quota};
///
/// let overrides = Overrides::new()
///     .with(&["acme"], Quota::per_second(500))
///     .with(&["ourselves"], Limit::Unlimited)
///     .with(&["mallory"], Limit::Blocked);
/// assert_eq!(overrides.len(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// This quota instead of the policy's; of the same kind.
    Quota(Quota),
    /// No limit: the key is on the allow list.
    Unlimited,
    /// Nothing passes: the key is on the deny list.
    Blocked,
}

impl From<Quota> for Limit {
    fn from(quota: Quota) -> Self {
        Self::Quota(quota)
    }
}

/// Other limits for some keys of a policy; also its allow and deny lists.
///
/// ```
/// use obs_ratelimit::{Limit, Overrides, Quota};
///
/// let overrides = Overrides::new()
///     .with(&["acme"], Quota::per_second(1_000).burst(2_000))
///     .with(&["internal"], Limit::Unlimited)
///     .with(&["abuser"], Limit::Blocked);
/// assert_eq!(overrides.len(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub(crate) entries: Vec<(Vec<String>, Limit)>,
}

impl Overrides {
    /// No overrides.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the limit of one key, given as the values of the key's parts in their order. A key
    /// given twice has the last limit.
    #[must_use]
    pub fn with(mut self, values: &[&str], limit: impl Into<Limit>) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.entries.push((values, limit.into()));
        self
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// use obs_ratelimit::Overrides;
    ///
    /// assert!(Overrides::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn check(&self, key: &Key) -> Result<(), ConfigError> {
        for (values, limit) in &self.entries {
            if !key.fits(&values.iter().map(String::as_str).collect::<Vec<_>>()) {
                let rule = "must have one value for each part of the key";
                return Err(ConfigError::new("overrides", values.join(", "), rule));
            }
            if let Limit::Quota(quota) = limit {
                quota.plan()?;
            }
        }
        Ok(())
    }
}
