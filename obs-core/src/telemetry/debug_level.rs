//! What a signed request for more lines amounts to.

use tracing::level_filters::LevelFilter;

use super::Telemetry;
use crate::log::Ids;

#[cfg(feature = "debug-on-demand")]
impl Telemetry {
    /// The level that `token`, the value of `x-obs-debug`, raises a request to. Takes one request
    /// from the budget, and writes a line that tells of the verdict.
    pub(crate) fn raised_level(&self, token: &str, ids: &Ids<'_>) -> Option<LevelFilter> {
        use super::DebugRefusal;

        let key = self.0.debug_key.as_ref();
        let verdict = key.ok_or(DebugRefusal::NoKey).and_then(|key| {
            let level = key.check(token, self.clock().wall(), self.service_name())?;
            key.spend(self.clock().now()).map(|()| level)
        });
        self.audit(verdict, ids);
        verdict.ok()
    }

    fn audit(&self, verdict: Result<LevelFilter, super::DebugRefusal>, ids: &Ids<'_>) {
        const TARGET: &str = "obs_core::debug_on_demand";
        match verdict {
            Ok(level) => {
                let message = format_args!("debug on demand granted");
                self.line(tracing::Level::INFO, TARGET, message, ids, |line| {
                    line.display("debug_level", format_args!("{level}"));
                });
            }
            // Anybody can send a token that does not hold; such lines must not cost more than
            // the requests they come with.
            Err(refusal) if self.is_enabled(tracing::Level::DEBUG, TARGET) => {
                let message = format_args!("debug on demand refused");
                self.line(tracing::Level::DEBUG, TARGET, message, ids, |line| {
                    line.str("reason", refusal.as_str());
                });
            }
            Err(_) => {}
        }
    }
}

#[cfg(not(feature = "debug-on-demand"))]
impl Telemetry {
    /// Without the feature `debug-on-demand` no level is raised.
    #[allow(clippy::unused_self, reason = "the signature is the same with the feature")]
    pub(crate) fn raised_level(&self, _token: &str, _ids: &Ids<'_>) -> Option<LevelFilter> {
        None
    }
}
