//! The sink that the environment asks for.

use std::sync::Arc;

use obs_core::config::ConfigError;
use obs_core::environment::Environment;
use obs_core::telemetry::Telemetry;

use super::{LineSink, Sink};

/// The sink for metrics of `telemetry`, chosen as the AWS libraries choose it.
///
/// | variable | meaning |
/// |---|---|
/// | `AWS_EMF_ENVIRONMENT` | `Local` and `Lambda`: standard output; `Agent`, `EC2` and `ECS`: the agent |
/// | `AWS_EMF_AGENT_ENDPOINT` | the agent there, as `tcp://host:port` or `udp://host:port` |
/// | `AWS_LAMBDA_FUNCTION_NAME` | it is a Lambda function: standard output |
/// | `ECS_CONTAINER_METADATA_URI`, `ECS_CONTAINER_METADATA_URI_V4` | it is an ECS task: the agent beside it |
/// | `FLUENT_HOST`, `FLUENT_PORT` | the log router of an ECS task, in place of the agent |
///
/// The first that is set decides, from the top; without any it is standard output, through the
/// telemetry's own output. Two things differ from the AWS libraries: nothing asks the network
/// whether this is an EC2 host, and where no agent is found nothing is guessed. The agent of an ECS
/// task is taken only with the feature `agent`; while it does not answer, lines go to standard
/// output.
///
/// The other variables of the AWS libraries:
///
/// | variable | |
/// |---|---|
/// | `AWS_EMF_NAMESPACE` | read by what declares a namespace, such as [`RequestMetricsBuilder::from_environment`](crate::request::RequestMetricsBuilder::from_environment) |
/// | `AWS_EMF_LOG_GROUP_NAME`, `AWS_EMF_LOG_STREAM_NAME` | read with a shape: [`ShapeBuilder::from_environment`](crate::ShapeBuilder::from_environment), [`EmfRecorder::from_environment`](crate::recorder::EmfRecorder::from_environment) |
/// | `AWS_EMF_SERVICE_NAME`, `AWS_EMF_SERVICE_TYPE` | not read: `OTEL_SERVICE_NAME` names the service for lines, metrics and spans alike |
/// | `AWS_EMF_ENABLE_DEBUG_LOGGING` | not read: `RUST_LOG` sets levels |
/// | `AWS_EMF_ASYNC_BUFFER_SIZE` | not read: it counts records, and queues are bounded in bytes |
/// | `AWS_EMF_WRITE_TO_STDOUT` | not read: `AWS_EMF_ENVIRONMENT=Local` does that |
///
/// ```
/// use obs_core::environment::Environment;
/// use obs_core::telemetry::Telemetry;
/// use obs_emf::sink;
///
/// // Nothing names an agent: records become lines of the telemetry's output.
/// let telemetry = Telemetry::builder("orders").environment(Environment::empty()).build()?;
/// let sink = sink::from_environment(telemetry.environment(), &telemetry)?;
/// assert_eq!(sink.ledger().appended, 0);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
///
/// # Errors
/// [`ConfigError`] for values it does not know, and for an agent that is asked for without the
/// feature `agent`.
pub fn from_environment(
    environment: &Environment,
    telemetry: &Telemetry,
) -> Result<Arc<dyn Sink>, ConfigError> {
    let endpoint = environment.get("AWS_EMF_AGENT_ENDPOINT");
    let kind = environment.get("AWS_EMF_ENVIRONMENT").unwrap_or_default();
    let in_lambda = environment.get("AWS_LAMBDA_FUNCTION_NAME").is_some();
    let in_ecs = ["ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4"]
        .iter()
        .any(|name| environment.get(name).is_some());
    let wants_agent = match kind.to_ascii_lowercase().as_str() {
        "" if in_lambda => false,
        "" => endpoint.is_some() || in_ecs && cfg!(feature = "agent"),
        "local" | "lambda" => false,
        "agent" | "ec2" | "ecs" => true,
        _ => {
            let rule = "must be Local, Lambda, Agent, EC2 or ECS";
            return Err(ConfigError::new("AWS_EMF_ENVIRONMENT", kind, rule));
        }
    };
    let router = (in_ecs || kind.eq_ignore_ascii_case("ecs")).then(|| router(environment));
    let endpoint = endpoint.map(str::to_owned).or(router.flatten());
    let endpoint = endpoint.as_deref();
    if wants_agent { agent(endpoint, telemetry) } else { Ok(Arc::new(LineSink::of(telemetry))) }
}

/// Where the log router of an ECS task listens.
fn router(environment: &Environment) -> Option<String> {
    let (host, port) = (environment.get("FLUENT_HOST")?, environment.get("FLUENT_PORT")?);
    Some(format!("tcp://{host}:{port}"))
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
