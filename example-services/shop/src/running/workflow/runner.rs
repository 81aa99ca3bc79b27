use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use obs_core::propagate::message::embedded;
use obs_core::span::CallSpan;
use obs_core::telemetry::Telemetry;
use obs_core::trace::SpanKind;
use serde_json::{Map, Value, json};
use shop_domain::port::messaging::{MessagingErrorKind, NewMessage, Queue};
use shop_kit::messaging::{Job, addressed};
use shop_kit::upstream::{Upstream, UpstreamError, UpstreamErrorKind};
use shop_workflow::{StateError, TaskCall, TaskFuture, TaskRunner};

/// What `Retry` in the definition knows an error by that may pass.
const UNAVAILABLE: &str = "Service.Unavailable";

/// What calling a function of the definition comes to here: an HTTP request to its service.
#[derive(Debug, Default)]
pub(in super::super) struct Functions(BTreeMap<String, Upstream>);

impl Functions {
    /// Adds `service`, whose function is called `shopfast-{name}-service`.
    pub(in super::super) fn service(mut self, service: Upstream) -> Self {
        self.0.insert(format!("shopfast-{}-service", service.name()), service);
        self
    }
}

/// Does the tasks of the order workflow: calls functions, and sends messages that are answered with
/// a task token.
///
/// Each try has a span `state {name}`, below what started the execution; what the task causes is
/// below that.
#[derive(Debug)]
pub(in super::super) struct Runner {
    functions: Functions,
    /// The queue that a message goes to is named in the definition; there is this one.
    queue: Arc<dyn Queue>,
    telemetry: Telemetry,
}

impl Runner {
    pub(in super::super) fn new(
        functions: Functions,
        queue: Arc<dyn Queue>,
        telemetry: &Telemetry,
    ) -> Self {
        Self { functions, queue, telemetry: telemetry.clone() }
    }

    async fn task(&self, call: &TaskCall) -> Result<Value, StateError> {
        match call.resource.as_str() {
            "arn:aws:states:::lambda:invoke" => self.invoke(&call.parameters).await,
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken" => {
                self.send(&call.parameters).await
            }
            other => {
                let cause = format!("nothing here does {other}");
                Err(StateError::new(StateError::TASK_FAILED, cause))
            }
        }
    }

    /// `{"FunctionName", "Payload": {"httpMethod", "path", "body"}}` to
    /// `{"StatusCode", "Payload"}`.
    async fn invoke(&self, parameters: &Value) -> Result<Value, StateError> {
        let wrong = |what: &str| {
            StateError::new("Lambda.InvalidParameterValueException", format!("{what} is missing"))
        };
        let function = parameters["FunctionName"].as_str().ok_or_else(|| wrong("FunctionName"))?;
        let service = self.functions.0.get(function).ok_or_else(|| {
            let cause = format!("there is no function {function}");
            StateError::new("Lambda.ResourceNotFoundException", cause)
        })?;
        let payload = &parameters["Payload"];
        let method = payload["httpMethod"].as_str().and_then(|name| name.parse::<Method>().ok());
        let method = method.ok_or_else(|| wrong("httpMethod"))?;
        let path = payload["path"].as_str().ok_or_else(|| wrong("path"))?;
        let answer: Value =
            service.call(method, path, payload.get("body")).await.map_err(state_error)?;
        Ok(json!({ "StatusCode": 200, "Payload": answer }))
    }

    /// `{"QueueUrl", "MessageGroupId", "MessageDeduplicationId", "MessageBody"}`.
    async fn send(&self, parameters: &Value) -> Result<Value, StateError> {
        let text = |name: &str| parameters[name].as_str().unwrap_or_default().to_owned();
        let url = text("QueueUrl");
        if url.rsplit('/').next() != Some(self.queue.name()) {
            let cause = format!("there is no queue {url}");
            return Err(StateError::new("SQS.QueueDoesNotExistException", cause));
        }
        let message = NewMessage::new(parameters["MessageBody"].to_string())
            .fifo(text("MessageGroupId"), text("MessageDeduplicationId"));
        let send = CallSpan::start(format!("{} send", self.queue.name()), SpanKind::Producer)
            .attribute("messaging.system", "aws_sqs")
            .attribute("messaging.destination.name", self.queue.name().to_owned())
            .attribute("messaging.operation.type", "send");
        let send = send.observe(async { self.queue.send(&addressed(message)).await });
        let sent = send.await.map_err(|error| {
            let kind = match error.kind() {
                MessagingErrorKind::Invalid => "SQS.InvalidMessageContentsException",
                _ => "SQS.SdkClientException",
            };
            StateError::new(kind, error.to_string())
        })?;
        Ok(json!({ "MessageId": sent.message_id }))
    }
}

/// What may pass is tried again, what is refused for good is not.
fn state_error(error: UpstreamError) -> StateError {
    let name = match error.kind() {
        UpstreamErrorKind::Refused(status, _)
            if status.is_client_error() && status.as_u16() != 429 =>
        {
            "Service.Refused"
        }
        UpstreamErrorKind::Garbled => "Service.Garbled",
        _ => UNAVAILABLE,
    };
    StateError::new(name, error.to_string())
}

impl TaskRunner for Runner {
    fn run<'a>(&'a self, call: &'a TaskCall) -> TaskFuture<'a> {
        let none = Map::new();
        let cause = call.input.as_object().and_then(embedded::get).unwrap_or(&none);
        let job = Job::caused_by(&self.telemetry, cause)
            .attribute("aws.step_functions.execution", call.execution.clone())
            .attribute("aws.step_functions.state", call.state.clone())
            .attribute("retries", call.retries);
        Box::pin(self.telemetry.scope(async move {
            let state = call.state.as_str();
            let result = job
                .run(async {
                    tracing::info!(state, retries = call.retries, "state entered");
                    let result = self.task(call).await;
                    match &result {
                        Ok(_) if call.waits_for_token => {
                            tracing::info!(state, "state waits for its token");
                        }
                        Ok(_) => tracing::info!(state, "state exited"),
                        Err(error) => tracing::warn!(state, %error, "state failed"),
                    }
                    result
                })
                .await;
            let error = result.as_ref().err().map(|error| error.error.as_str());
            job.end(format!("state {state}"), SpanKind::Internal, error);
            result
        }))
    }
}
