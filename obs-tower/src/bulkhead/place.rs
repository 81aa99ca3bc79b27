use crate::priority::Priority;

/// Where a call stands among the others.
///
/// ```
/// use obs_tower::bulkhead::{Place, Share};
/// use obs_tower::priority::Priority;
///
/// let place = Place::default().share(Share::of("acme").weight(2)).priority(Priority::High);
/// # let _ = place;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Place<'a> {
    pub(super) share: Option<Share<'a>>,
    pub(super) priority: Priority,
}

impl<'a> Place<'a> {
    /// Counts the call into a share.
    pub const fn share(mut self, share: Share<'a>) -> Self {
        self.share = Some(share);
        self
    }

    /// Sets the priority. Default [`Priority::Normal`].
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }
}

/// Whose call it is: a tenant or an operation.
///
/// ```
/// use obs_tower::bulkhead::{Bulkhead, Place, Share};
///
/// let bulkhead = Bulkhead::builder("orders").build()?;
/// // A tenant that pays for twice as much as others.
/// let acme = Share::of("acme").weight(2);
/// let _permit = bulkhead.try_acquire(Place::default().share(acme)).expect("there is room");
/// assert_eq!(bulkhead.shares(), 1);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Share<'a> {
    pub(super) key: &'a str,
    pub(super) weight: u32,
}

impl<'a> Share<'a> {
    /// The share of `key`, of weight 1.
    pub const fn of(key: &'a str) -> Self {
        Self { key, weight: 1 }
    }

    /// A share of weight 2 gets twice as much of a contended bulkhead as one of weight 1; 0 counts
    /// as 1.
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = if weight == 0 { 1 } else { weight };
        self
    }
}
