//! The cold start of a Lambda function.
//!
//! ```
//! use obs_core::metric;
//! use obs_emf::cold_start::ColdStart;
//!
//! let start = ColdStart::default();
//! assert!(start.observe(metric::disabled()), "the first invocation");
//! assert!(!start.observe(metric::disabled()));
//! ```

use std::sync::atomic::{AtomicBool, Ordering};

use obs_core::metric::{Descriptor, Recorder, Unit};

/// Invocations that started a new execution environment.
pub const COLD_START: Descriptor =
    Descriptor::new("ColdStart", Unit::Count, "Invocations that started a new environment");

/// Tells the first invocation from those after it.
///
/// ```
/// use obs_core::metric::disabled;
/// use obs_emf::cold_start::ColdStart;
///
/// let cold_start = ColdStart::default();
/// assert!(cold_start.observe(disabled()));
/// assert!(!cold_start.observe(disabled()));
/// ```
#[derive(Debug, Default)]
pub struct ColdStart(AtomicBool);

impl ColdStart {
    /// Counts the cold start if this is the first invocation; says whether it was.
    ///
    /// Call it before the handler, so that a handler that fails at once is counted too.
    pub fn observe(&self, recorder: &dyn Recorder) -> bool {
        let is_first = !self.0.swap(true, Ordering::Relaxed);
        if is_first {
            recorder.counter(&COLD_START, &[]).add(1);
        }
        is_first
    }
}
