use std::sync::Arc;

use super::CircuitBreakerConfig;
use super::transition::{Journal, Listener};

/// Changed under the lock, by transitions and operators only.
#[derive(Debug)]
pub(super) struct Cold {
    pub(super) config: CircuitBreakerConfig,
    pub(super) openings_in_a_row: u32,
    pub(super) listeners: Arc<[Listener]>,
    pub(super) journal: Journal,
}

impl Cold {
    pub(super) fn new(config: CircuitBreakerConfig, listeners: Vec<Listener>) -> Self {
        let listeners = listeners.into();
        Self { config, openings_in_a_row: 0, listeners, journal: Journal::default() }
    }

    pub(super) fn add_listener(&mut self, listener: Listener) {
        self.listeners = self.listeners.iter().cloned().chain([listener]).collect();
    }
}
