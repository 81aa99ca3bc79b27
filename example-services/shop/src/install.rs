//! The telemetry of the process itself.

use obs_core::environment::Environment;
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;

/// Makes `tracing` write through the telemetry of whichever service is at work, and through one
/// named `shop` for what belongs to none, such as a panic outside of a request.
///
/// # Errors
/// When the environment cannot be used, or `tracing` was taken over by someone else.
pub fn install(output: &Output, environment: &Environment) -> Result<(), crate::client::Fault> {
    let telemetry = Telemetry::builder("shop")
        .environment(environment.clone())
        .output(output.clone())
        .build()?;
    Ok(telemetry.install_global()?)
}
