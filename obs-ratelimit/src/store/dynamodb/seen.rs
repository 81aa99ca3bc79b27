use std::sync::{Mutex, PoisonError};

use crate::store::StoreKey;

/// What this node last saw of some keys, so that the right condition is tried first.
///
/// It is a hint and no more: every write has a condition on what it replaces. A key pushes out
/// another that falls to the same place.
#[derive(Debug)]
pub(super) struct LastSeen<T>(Box<[Mutex<Place<T>>]>);

type Place<T> = Option<(StoreKey, T)>;

const PLACES: usize = 1_024;

impl<T> Default for LastSeen<T> {
    fn default() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(PLACES).collect())
    }
}

impl<T: Clone> LastSeen<T> {
    fn place(&self, key: StoreKey) -> std::sync::MutexGuard<'_, Place<T>> {
        let place = &self.0[(key.bits() % PLACES as u128) as usize];
        place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: StoreKey) -> Option<T> {
        let place = self.place(key);
        place.as_ref().filter(|(seen, _)| *seen == key).map(|(_, item)| item.clone())
    }

    pub(super) fn set(&self, key: StoreKey, item: T) {
        *self.place(key) = Some((key, item));
    }
}
