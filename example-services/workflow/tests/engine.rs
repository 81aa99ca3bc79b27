//! Executions on virtual time, with tasks that a test answers.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::id::IdGenerator;
use serde_json::{Value, json};
use shop_domain::conformance::time::ManualTime;
use shop_domain::port::messaging::MessagingErrorKind;
use shop_domain::port::{ExecutionStatus, Start, TaskFailure, Workflow};
use shop_workflow::{Engine, Machine, StateError, TaskCall, TaskFuture, TaskRunner};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Tells each call, and answers as the test says.
#[derive(Debug)]
struct Told {
    calls: mpsc::UnboundedSender<TaskCall>,
    answer: fn(&TaskCall) -> Option<Result<Value, StateError>>,
}

impl TaskRunner for Told {
    fn run<'a>(&'a self, call: &'a TaskCall) -> TaskFuture<'a> {
        self.calls.send(call.clone()).unwrap();
        let answer = (self.answer)(call);
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                // It never ends, like one whose process is killed.
                None => std::future::pending().await,
            }
        })
    }
}

struct Test {
    engine: Engine,
    calls: Mutex<mpsc::UnboundedReceiver<TaskCall>>,
    driver: JoinHandle<()>,
}

impl Drop for Test {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn run(
    folder: &Path,
    time: &ManualTime,
    machine: &str,
    answer: fn(&TaskCall) -> Option<Result<Value, StateError>>,
) -> Test {
    // A disk that is slow must not look like a task that takes too long.
    let patient = machine.replace("\"TimeoutSeconds\": 60,", "\"TimeoutSeconds\": 80000,");
    let machine = Machine::parse(&patient).unwrap();
    let time = Arc::new(time.clone());
    let path = folder.join("workflow.db");
    let engine = Engine::open(&path, "test", machine, time, IdGenerator::system()).unwrap();
    let (sender, calls) = mpsc::unbounded_channel();
    let (driven, runner) = (engine.clone(), Arc::new(Told { calls: sender, answer }));
    let driver = tokio::spawn(async move { driven.drive(runner).await.unwrap() });
    Test { engine, calls: Mutex::new(calls), driver }
}

impl Test {
    async fn start(&self, input: Value) -> bool {
        let start = Start { name: "e".to_owned(), input, trace_header: None };
        self.engine.start(&start).await.unwrap()
    }

    /// The next call of a task.
    async fn call(&self) -> TaskCall {
        let next = std::future::poll_fn(|context| self.calls.lock().unwrap().poll_recv(context));
        tokio::time::timeout(Duration::from_secs(60), next).await.unwrap().unwrap()
    }

    async fn status(&self) -> ExecutionStatus {
        self.engine.describe("e").await.unwrap().unwrap().status
    }

    /// Lets time pass until the execution has come to an end, in steps so small that no task runs
    /// out of its time while it is worked on.
    async fn end(&self, time: &ManualTime) -> ExecutionStatus {
        let end = async {
            loop {
                let status = self.status().await;
                if status != ExecutionStatus::Running {
                    return status;
                }
                time.advance(Duration::from_millis(10));
            }
        };
        tokio::time::timeout(Duration::from_secs(60), end).await.unwrap()
    }

    async fn events(&self) -> Vec<String> {
        let history = self.engine.history("e", 0, 1_000).await.unwrap();
        history.into_iter().map(|event| event.kind).collect()
    }
}

fn service(call: &TaskCall) -> Option<Result<Value, StateError>> {
    Some(Ok(match call.state.as_str() {
        "Ship" => json!({"StatusCode": 201, "Payload": {"tracking_id": "t-1", "carrier": "post"}}),
        _ => json!({"StatusCode": 200, "Payload": {}}),
    }))
}

fn order() -> Value {
    json!({"order_id": "o-1", "user_id": "ada", "total_minor": 500, "currency": "EUR"})
}

fn token(call: &TaskCall) -> &str {
    call.parameters["MessageBody"]["task_token"].as_str().unwrap()
}

async fn payment(test: &Test) -> TaskCall {
    assert_eq!(test.call().await.state, "AwaitPayment");
    let payment = test.call().await;
    assert_eq!((payment.state.as_str(), payment.waits_for_token), ("Payment", true));
    payment
}

#[tokio::test]
async fn a_paid_order_goes_through_stock_and_shipping() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let test = run(folder.path(), &time, shop_contracts::ORDER_WORKFLOW, service);
    assert!(test.start(order()).await);
    let payment = payment(&test).await;
    assert_eq!(payment.parameters["MessageGroupId"], "o-1");
    assert_eq!(payment.parameters["MessageDeduplicationId"], "o-1-0");
    test.engine.task_success(token(&payment), &json!({"outcome": "APPROVED"})).await.unwrap();
    assert_eq!(test.end(&time).await, ExecutionStatus::Succeeded);
    let output = test.engine.describe("e").await.unwrap().unwrap().output.unwrap();
    assert_eq!(output, json!({"tracking_id": "t-1", "carrier": "post"}));
    let mut states = Vec::new();
    for _ in 0..5 {
        states.push(test.call().await.state);
    }
    assert_eq!(states, ["Paid", "TakeFromShelf", "InShipping", "Ship", "Shipped"]);
    let task =
        ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"];
    let events = test.events().await;
    assert_eq!(events[0], "ExecutionStarted");
    assert_eq!(events[1..6], task);
    assert_eq!(
        events[6..10],
        ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted"]
    );
    assert_eq!(
        events[10..14],
        ["TaskSucceeded", "TaskStateExited", "ChoiceStateEntered", "ChoiceStateExited"]
    );
    assert_eq!(events.last().unwrap(), "ExecutionSucceeded");
    // The token is in the parameters of the task, and nowhere in the history.
    let history = test.engine.history("e", 0, 1_000).await.unwrap();
    assert!(!format!("{history:?}").contains(token(&payment)));
    assert!(history[1..].iter().all(|event| (1..event.id).contains(&event.previous_id)));
}

#[tokio::test]
async fn a_declined_order_gives_its_stock_back() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let test = run(folder.path(), &time, shop_contracts::ORDER_WORKFLOW, service);
    test.start(order()).await;
    let payment = payment(&test).await;
    let declined = json!({"outcome": "DECLINED", "reason": "insufficient_funds"});
    test.engine.task_success(token(&payment), &declined).await.unwrap();
    let release = test.call().await;
    assert_eq!(
        (release.state.as_str(), &release.parameters["Payload"]["body"]),
        ("ReleaseStock", &json!({"order_id": "o-1"}))
    );
    let failed = test.call().await;
    assert_eq!(
        failed.parameters["Payload"]["body"],
        json!({"status": "PAYMENT_FAILED", "reason": "insufficient_funds"})
    );
    assert_eq!(test.end(&time).await, ExecutionStatus::Failed);
    let execution = test.engine.describe("e").await.unwrap().unwrap();
    assert_eq!(execution.error.as_deref(), Some("Order.NotPaid"));
    assert_eq!(test.events().await.last().unwrap(), "ExecutionFailed");
}

#[tokio::test]
async fn an_execution_goes_on_where_it_was_when_its_driver_was_killed() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let stuck: fn(&TaskCall) -> Option<_> = |_| None;
    let test = run(folder.path(), &time, shop_contracts::ORDER_WORKFLOW, stuck);
    test.start(order()).await;
    assert_eq!(test.call().await.state, "AwaitPayment");
    drop(test);
    // The task that was running is run again.
    let test = run(folder.path(), &time, shop_contracts::ORDER_WORKFLOW, service);
    let payment = payment(&test).await;
    drop(test);
    // Who was told before can answer after.
    let test = run(folder.path(), &time, shop_contracts::ORDER_WORKFLOW, service);
    test.engine.task_success(token(&payment), &json!({"outcome": "APPROVED"})).await.unwrap();
    assert_eq!(test.end(&time).await, ExecutionStatus::Succeeded);
    let entered = test.events().await.iter().filter(|kind| *kind == "TaskStateEntered").count();
    assert_eq!(entered, 7, "no state is entered twice");
}

#[tokio::test]
async fn a_name_stands_for_one_execution_and_a_token_for_one_answer() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let test = run(folder.path(), &time, shop_contracts::ORDER_WORKFLOW, service);
    assert!(test.start(order()).await);
    let mut again = order();
    again["_trace"] = json!({"traceparent": "another"});
    assert!(!test.start(again).await);
    let other = Start { name: "e".to_owned(), input: json!({}), trace_header: None };
    let error = test.engine.start(&other).await.unwrap_err();
    assert_eq!(error.kind(), MessagingErrorKind::Invalid);
    let payment = payment(&test).await;
    let failure = TaskFailure { error: "Payment.Unavailable".to_owned(), cause: "down".to_owned() };
    test.engine.task_failure(token(&payment), &failure).await.unwrap();
    let late = test.engine.task_success(token(&payment), &json!({})).await.unwrap_err();
    assert_eq!(late.kind(), MessagingErrorKind::Expired);
    let unknown = test.engine.task_heartbeat("no token").await.unwrap_err();
    assert_eq!(unknown.kind(), MessagingErrorKind::Expired);
    // It is retried, after two seconds, under another token and deduplication id.
    let retried = loop {
        time.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
        if let Ok(call) = test.calls.lock().unwrap().try_recv() {
            break call;
        }
        test.status().await;
    };
    assert_eq!(retried.parameters["MessageDeduplicationId"], "o-1-1");
    assert_ne!(token(&retried), token(&payment));
}

/// One task, with what a test adds to it, and a way out for its errors.
fn task(more: &Value) -> String {
    let mut task = json!({
        "Type": "Task", "Resource": "r", "End": true,
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "Caught"}],
    });
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"StartAt": "T", "TimeoutSeconds": 80_000, "States": {"T": task, "Caught": {"Type": "Succeed"}}}).to_string()
}

async fn caught(
    machine: &str,
    answer: fn(&TaskCall) -> Option<Result<Value, StateError>>,
) -> (Value, usize) {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let test = run(folder.path(), &time, machine, answer);
    test.start(json!({"in": 1})).await;
    assert_eq!(test.end(&time).await, ExecutionStatus::Succeeded);
    let output = test.engine.describe("e").await.unwrap().unwrap().output.unwrap();
    let tries = test.events().await.iter().filter(|kind| *kind == "TaskScheduled").count();
    (output, tries)
}

#[tokio::test]
async fn a_task_that_fails_is_tried_again_as_often_as_its_retry_says_and_then_caught() {
    let retry =
        json!({"Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 3, "IntervalSeconds": 4}]});
    let busy: fn(&TaskCall) -> Option<_> = |_| Some(Err(StateError::new("Busy", "try later")));
    let (output, tries) = caught(&task(&retry), busy).await;
    assert_eq!(output, json!({"in": 1, "caught": {"Error": "Busy", "Cause": "try later"}}));
    assert_eq!(tries, 4);
    let other: fn(&TaskCall) -> Option<_> = |_| Some(Err(StateError::new("Broken", "no use")));
    assert_eq!(caught(&task(&retry), other).await.1, 1);
    let second: fn(&TaskCall) -> Option<_> = |call| {
        Some(if call.retries == 0 { Err(StateError::new("Busy", "")) } else { Ok(json!("done")) })
    };
    assert_eq!(caught(&task(&retry), second).await, (json!("done"), 2));
}

#[tokio::test]
async fn a_task_ends_with_its_timeout_or_without_a_heartbeat() {
    let never: fn(&TaskCall) -> Option<_> = |_| None;
    let (output, _) = caught(&task(&json!({"TimeoutSeconds": 30})), never).await;
    assert_eq!(output["caught"]["Error"], "States.Timeout");
    let more =
        json!({"Resource": "r.waitForTaskToken", "TimeoutSeconds": 60, "HeartbeatSeconds": 10});
    let handed: fn(&TaskCall) -> Option<_> = |_| Some(Ok(json!({})));
    let (output, _) = caught(&task(&more), handed).await;
    assert_eq!(output["caught"]["Error"], "States.HeartbeatTimeout");
}

#[tokio::test]
async fn an_execution_that_takes_too_long_is_timed_out() {
    let (folder, time) = (tempfile::tempdir().unwrap(), ManualTime::default());
    let never: fn(&TaskCall) -> Option<_> = |_| None;
    let test = run(folder.path(), &time, &task(&json!({})), never);
    test.start(json!({})).await;
    test.call().await;
    time.advance(Duration::from_secs(80_000));
    assert_eq!(test.end(&time).await, ExecutionStatus::TimedOut);
}

#[tokio::test]
async fn a_parallel_state_joins_its_branches_and_fails_with_one_of_them() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Task", "Resource": "r", "End": true}}});
    let machine = json!({"StartAt": "P", "States": {"P": {
        "Type": "Parallel", "Branches": [branch("A"), branch("B")], "ResultPath": "$.both", "End": true,
        "Catch": [{"ErrorEquals": ["Bad"], "Next": "Caught"}],
    }, "Caught": {"Type": "Succeed"}}}).to_string();
    let named: fn(&TaskCall) -> Option<_> = |call| Some(Ok(json!(call.state)));
    assert_eq!(caught(&machine, named).await.0, json!({"in": 1, "both": ["A", "B"]}));
    let one: fn(&TaskCall) -> Option<_> =
        |call| (call.state == "B").then(|| Err(StateError::new("Bad", "b")));
    // The other branch, which would never end, is given up.
    assert_eq!(caught(&machine, one).await.0, json!({"Error": "Bad", "Cause": "b"}));
}
