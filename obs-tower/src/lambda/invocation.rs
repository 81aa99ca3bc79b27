use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use obs_core::clock::{Clock, Timestamp};
use obs_core::deadline::Deadline;

/// What Lambda says of an invocation beside its event and its trace.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) function_arn: String,
    /// The time that was left when it began, and when that ends.
    pub(super) limit: Option<(Duration, Deadline)>,
}

impl Invocation {
    pub(super) fn of(context: &lambda_runtime::Context, clock: &Clock) -> Self {
        let ends = Timestamp::from_unix_millis(context.deadline);
        let remaining = ends.saturating_duration_since(clock.wall());
        // Nothing is invoked after its deadline: emulators send 0, or a number of milliseconds
        // where Lambda sends a time.
        let limit =
            (!remaining.is_zero()).then(|| (remaining, Deadline::after(clock.now(), remaining)));
        Self {
            request_id: context.request_id.clone(),
            function_arn: context.invoked_function_arn.clone(),
            limit,
        }
    }

    /// The invocation that brought an HTTP request, if one did.
    pub(super) fn behind<B>(request: &Request<B>, clock: &Clock) -> Option<Self> {
        request.extensions().get().map(|context| Self::of(context, clock))
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.limit.map(|(_, deadline)| deadline)
    }
}

/// Whether the process has served an invocation; shared by clones.
#[derive(Clone, Debug, Default)]
pub(super) struct Warmth(Arc<AtomicBool>);

impl Warmth {
    /// Whether this is the first invocation of the process, which it then is no more.
    pub(super) fn is_cold(&self) -> bool {
        // Relaxed: nothing is published through it.
        !self.0.swap(true, Ordering::Relaxed)
    }
}
