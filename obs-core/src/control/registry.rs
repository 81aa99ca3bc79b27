use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Control, Kind};

/// The controls of one service; clones share their contents.
///
/// ```
/// use obs_core::control::{Kind, Registry};
///
/// let registry = Registry::default();
/// assert!(registry.list().is_empty());
/// assert!(registry.get(Kind::CircuitBreaker, "payment").is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<RwLock<Controls>>);

type Controls = BTreeMap<(Kind, String), Arc<dyn Control>>;

impl Registry {
    /// Adds a control; one of the same kind and name is replaced and returned.
    pub fn register(&self, control: Arc<dyn Control>) -> Option<Arc<dyn Control>> {
        let key = (control.kind(), control.name().to_owned());
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, control)
    }

    /// Removes a control.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_core::control::{Kind, Registry};
    ///
    /// let (registry, breaker) = (Registry::default(), CircuitBreaker::builder("inventory").build()?);
    /// assert!(registry.register(Arc::new(breaker)).is_none());
    /// assert!(registry.remove(Kind::CircuitBreaker, "inventory").is_some());
    /// assert!(registry.list().is_empty());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn remove(&self, kind: Kind, name: &str) -> Option<Arc<dyn Control>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&(kind, name.to_owned()))
    }

    /// The control of this kind and name.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<Arc<dyn Control>> {
        let controls = self.0.read().unwrap_or_else(PoisonError::into_inner);
        controls.get(&(kind, name.to_owned())).cloned()
    }

    /// Every control, by kind and name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<dyn Control>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
