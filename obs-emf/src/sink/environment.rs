//! The sink that the environment asks for.

use std::sync::Arc;

use obs_core::config::ConfigError;
use obs_core::environment::Environment;
use obs_core::telemetry::Telemetry;

use super::{LineSink, Sink};

/// The sink for metrics of `telemetry`, chosen by the variables that the AWS libraries read.
///
/// | variable | meaning |
/// |---|---|
/// | `AWS_EMF_ENVIRONMENT` | `Local` and `Lambda`: standard output; `Agent`, `EC2` and `ECS`: the agent |
/// | `AWS_EMF_AGENT_ENDPOINT` | the agent there, as `tcp://host:port` or `udp://host:port` |
///
/// Without either it is standard output, through the telemetry's own output: unlike the AWS
/// libraries this does not guess that an agent runs beside the service. In a Lambda function it is
/// always standard output.
///
/// # Errors
/// [`ConfigError`] for values it does not know, and for an agent without the feature `agent`.
pub fn from_environment(
    environment: &Environment,
    telemetry: &Telemetry,
) -> Result<Arc<dyn Sink>, ConfigError> {
    let endpoint = environment.get("AWS_EMF_AGENT_ENDPOINT");
    let kind = environment.get("AWS_EMF_ENVIRONMENT").unwrap_or_default();
    let in_lambda = environment.get("AWS_LAMBDA_FUNCTION_NAME").is_some();
    let wants_agent = match kind.to_ascii_lowercase().as_str() {
        "" => endpoint.is_some() && !in_lambda,
        "local" | "lambda" => false,
        "agent" | "ec2" | "ecs" => true,
        _ => {
            let rule = "must be Local, Lambda, Agent, EC2 or ECS";
            return Err(ConfigError::new("AWS_EMF_ENVIRONMENT", kind, rule));
        }
    };
    if wants_agent { agent(endpoint, telemetry) } else { Ok(Arc::new(LineSink::of(telemetry))) }
}

#[cfg(feature = "agent")]
fn agent(endpoint: Option<&str>, telemetry: &Telemetry) -> Result<Arc<dyn Sink>, ConfigError> {
    use super::AgentEndpoint;

    let endpoint = endpoint.map(AgentEndpoint::parse).transpose()?.unwrap_or_default();
    let clock = telemetry.clock().clone();
    let ids = telemetry.ids().clone();
    let service = telemetry.service_name();
    let sink = LineSink::to_agent(endpoint, std::io::stdout(), service, clock, ids)?;
    Ok(Arc::new(sink))
}

#[cfg(not(feature = "agent"))]
fn agent(endpoint: Option<&str>, _: &Telemetry) -> Result<Arc<dyn Sink>, ConfigError> {
    let rule = "needs the feature `agent` of obs-aws-emf";
    Err(ConfigError::new("AWS_EMF_AGENT_ENDPOINT", endpoint.unwrap_or("default"), rule))
}
