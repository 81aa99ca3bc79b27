//! A builder that was not asked to build.

use obs_core::circuit::CircuitBreaker;
use obs_tower::circuit_breaker::CircuitBreakerLayer;

fn main() {
    let _layer = CircuitBreakerLayer::new(CircuitBreaker::builder("orders"));
}
