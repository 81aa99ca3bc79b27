use crate::clock::Clock;
use crate::config::ConfigError;
use crate::environment::Environment;

use super::Sampler;

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

impl Sampler {
    /// The sampler that
    /// [`OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration)
    /// ask for; `None` if they ask for nothing.
    ///
    /// Understood: `always_on`, `always_off`, `traceidratio`, each with `parentbased_` in front,
    /// and `xray` (feature `xray-daemon`), which follows the caller's verdict, too, and else the
    /// rules of the AWS account.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::environment::Environment;
    /// use obs_core::trace::Sampler;
    ///
    /// let set = Environment::from_iter([
    ///     ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
    ///     ("OTEL_TRACES_SAMPLER_ARG", "0.05"),
    /// ]);
    /// assert!(Sampler::from_environment(&set, &Clock::system())?.is_some());
    /// assert!(Sampler::from_environment(&Environment::empty(), &Clock::system())?.is_none());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown name, or an argument that is no ratio.
    pub fn from_environment(
        environment: &Environment,
        clock: &Clock,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(name) = environment.get(SAMPLER) else { return Ok(None) };
        let name = name.trim();
        let (parent_based, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let sampler = match root {
            "always_on" => Self::always_on(),
            "always_off" => Self::always_off(),
            "traceidratio" => Self::ratio(ratio_argument(environment)?)?,
            "xray" => return xray(environment, clock).map(Some),
            _ => {
                let rule = "must be always_on, always_off, traceidratio, parentbased_always_on, \
                            parentbased_always_off, parentbased_traceidratio or xray";
                return Err(ConfigError::new(SAMPLER, name, rule));
            }
        };
        Ok(Some(if parent_based { Self::parent_based(sampler) } else { sampler }))
    }
}

fn ratio_argument(environment: &Environment) -> Result<f64, ConfigError> {
    let Some(text) = environment.get(ARGUMENT) else { return Ok(1.0) };
    match text.trim().parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(ConfigError::new(ARGUMENT, text, "must be a number between 0 and 1")),
    }
}

#[cfg(feature = "xray-daemon")]
fn xray(environment: &Environment, clock: &Clock) -> Result<Sampler, ConfigError> {
    let rules = super::XraySampler::from_environment(environment, clock)?;
    Ok(Sampler::parent_based(Sampler::custom(rules)))
}

#[cfg(not(feature = "xray-daemon"))]
fn xray(_: &Environment, _: &Clock) -> Result<Sampler, ConfigError> {
    Err(ConfigError::new(SAMPLER, "xray", "needs the feature `xray-daemon` of obs-aws-core"))
}
