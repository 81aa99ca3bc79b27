//! `shop demo`.
use obs_core::environment::Environment;
use std::process::ExitCode;
/// Demo.
pub async fn demo(_environment: Environment) -> ExitCode {
    ExitCode::SUCCESS
}
