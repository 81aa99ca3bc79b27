use std::time::Duration;

use shop_domain::product::Product;
use shop_kit::failure::Failure;

/// The limits of the function that the service is deployed as: 3 s and 128 MB, which is too little
/// for a large catalogue. Finding that out from the telemetry is an exercise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionLimits {
    /// How long an invocation may take. Default 3 s.
    pub timeout: Duration,
    /// How much memory an invocation may hold, in MB. Default 128.
    pub memory_mb: u32,
}

impl Default for FunctionLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), memory_mb: 128 }
    }
}

/// What the runtime itself takes of the memory, in MB.
const RUNTIME_MB: u32 = 32;

/// The memory that a scan holds, counted against the limit of the function.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: usize,
    limit: usize,
}

impl Held {
    pub(crate) fn new(limits: FunctionLimits) -> Self {
        let limit = limits.memory_mb.saturating_sub(RUNTIME_MB) as usize * 1_000_000;
        Self { bytes: 0, limit }
    }

    /// Adds a product.
    ///
    /// # Errors
    /// 503 when the invocation would hold more than the function may.
    pub(crate) fn add(&mut self, product: &Product) -> Result<(), Failure> {
        self.bytes += size_of::<Product>() + product.name.len() + product.product_id.as_str().len();
        if self.bytes > self.limit {
            tracing::error!(held_bytes = self.bytes, limit_bytes = self.limit, "out of memory");
            return Err(Failure::unavailable("the function ran out of memory")
                .with("error_type", "Runtime.OutOfMemory"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_ends_at_the_limit_of_the_function() {
        let product = crate::seeded().next().unwrap();
        let room = |memory_mb| {
            let limits = FunctionLimits { memory_mb, ..FunctionLimits::default() };
            let mut held = Held::new(limits);
            (0..100_000).take_while(|_| held.add(&product).is_ok()).count()
        };
        assert_eq!(room(RUNTIME_MB), 0);
        let one = room(RUNTIME_MB + 1);
        assert!((1_000..100_000).contains(&one), "{one}");
        assert!(room(RUNTIME_MB + 2) > one);
    }
}
