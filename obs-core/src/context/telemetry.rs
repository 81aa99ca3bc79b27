use super::{Captured, ContextGuard, Scoped, current};
use crate::telemetry::Telemetry;

impl Telemetry {
    /// The telemetry of the current request, else the one entered on this thread; `None` outside
    /// of both.
    #[must_use]
    pub fn current() -> Option<Self> {
        current::current_telemetry()
    }

    /// Lets `future` run under this telemetry without a request, as a background job does.
    ///
    /// ```
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let seen = telemetry.scope(async { Telemetry::current().map(|it| it.service_name().to_owned()) });
    /// assert_eq!(seen.await.as_deref(), Some("orders"));
    /// # });
    /// let _entered = telemetry.enter();
    /// assert!(Telemetry::current().is_some());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn scope<F>(&self, future: F) -> Scoped<F> {
        Scoped::new(future, self.clone())
    }

    /// Makes this telemetry the current one, without a request, until the guard is dropped.
    #[must_use = "it ends when the guard is dropped"]
    pub fn enter(&self) -> ContextGuard {
        Captured::from(self.clone()).into_current()
    }
}
