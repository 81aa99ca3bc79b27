use super::TopologyError;

/// Who a message goes to: a service of AWS and a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn {
    /// The service.
    pub service: Service,
    /// The name in it.
    pub name: String,
}

/// A service that messages can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A queue of SQS.
    Queue,
    /// A topic of SNS.
    Topic,
    /// A stream of Kinesis.
    Stream,
    /// A state machine of Step Functions.
    Workflow,
    /// A log group of CloudWatch.
    LogGroup,
}

impl Service {
    /// Its name in explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Topic => "topic",
            Self::Stream => "stream",
            Self::Workflow => "workflow",
            Self::LogGroup => "log-group",
        }
    }
}

impl Arn {
    /// Reads `arn:aws:service:region:account:resource`.
    pub(super) fn parse(text: &str) -> Result<Self, TopologyError> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let parsed = match parts[..] {
            ["arn", "aws", "sqs", _, _, name] => Some((Service::Queue, name)),
            ["arn", "aws", "sns", _, _, name] => Some((Service::Topic, name)),
            ["arn", "aws", "kinesis", _, _, resource] => {
                resource.strip_prefix("stream/").map(|name| (Service::Stream, name))
            }
            ["arn", "aws", "states", _, _, resource] => {
                resource.strip_prefix("stateMachine:").map(|name| (Service::Workflow, name))
            }
            ["arn", "aws", "logs", _, _, resource] => {
                resource.strip_prefix("log-group:").map(|name| (Service::LogGroup, name))
            }
            _ => None,
        };
        match parsed {
            Some((service, name)) if !name.is_empty() => {
                Ok(Self { service, name: name.to_owned() })
            }
            _ => Err(TopologyError::new(format!("{text:?} is no ARN that messages can go to"))),
        }
    }
}
