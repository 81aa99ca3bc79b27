//! The contracts, read and run by an implementation that is not ours: the MiniStack that
//! `OBS_TEST_MINISTACK` names.

#![cfg(feature = "real-parts")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use serde_json::{Map, Value, json};
use shop_contracts::{ORDER_WORKFLOW, Pattern};
use support::Client;
use support::process::until_async;

/// AWS's JSON protocol, as far as these tests need it.
struct Aws(Client);

impl Aws {
    fn new() -> Self {
        let environment = Environment::process();
        let url = environment.get("OBS_TEST_MINISTACK");
        Self(Client::new(url.expect("OBS_TEST_MINISTACK names a running MiniStack")))
    }

    async fn call(&self, target: &str, body: Value) -> Value {
        let service = match target.split_once('.').unwrap().0 {
            "AmazonSQS" => "sqs",
            "AWSEvents" => "events",
            _ => "states",
        };
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIATEST/20261121/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target),
        ];
        let answer = self.0.post("/", &headers, &body).await;
        assert!(answer.status.is_success(), "{target}: {answer:?}");
        if answer.bytes.is_empty() { Value::Null } else { answer.json() }
    }
}

/// A name that no other test of the shared part uses.
fn fresh(what: &str) -> String {
    format!("{what}-{:016x}", IdGenerator::system().random_u64())
}

/// The machine with each call of a service replaced by its answer, and the queue by `queue`.
fn machine(queue: &str) -> String {
    let text = ORDER_WORKFLOW.replace("${PaymentQueueUrl}/cloudcafe-payment-queue.fifo", queue);
    let mut machine: Value = serde_json::from_str(&text).unwrap();
    answer_calls(machine["States"].as_object_mut().unwrap());
    machine.to_string()
}

fn answer_calls(states: &mut Map<String, Value>) {
    for state in states.values_mut() {
        for branch in state["Branches"].as_array_mut().into_iter().flatten() {
            answer_calls(branch["States"].as_object_mut().unwrap());
        }
        if state["Resource"] == "arn:aws:states:::lambda:invoke" {
            let mut pass =
                json!({"Type": "Pass", "Result": {"tracking_id": "T-1", "carrier": "C"}});
            for kept in ["ResultPath", "Next", "End"] {
                if let Some(value) = state.get(kept) {
                    pass[kept] = value.clone();
                }
            }
            *state = pass;
        }
        // Reading a member that is not there has put a null in its place.
        state
            .as_object_mut()
            .unwrap()
            .retain(|name, value| !value.is_null() || name == "ResultPath");
    }
}

/// The states that an order goes through when its payment ends so, and how it ends.
async fn walk(outcome: &str) -> (Vec<String>, String) {
    let aws = Aws::new();
    let queue = json!({
        "QueueName": fresh("payment") + ".fifo",
        "Attributes": {"FifoQueue": "true"},
    });
    let queue = aws.call("AmazonSQS.CreateQueue", queue).await["QueueUrl"].clone();
    let machine = json!({
        "name": fresh("order-workflow"),
        "definition": machine(queue.as_str().unwrap()),
        "roleArn": "arn:aws:iam::000000000000:role/workflow",
    });
    let machine = aws.call("AWSStepFunctions.CreateStateMachine", machine).await;
    let order = json!({"order_id": "ord-1", "user_id": "ada", "total_minor": 1, "currency": "EUR"});
    let start = json!({
        "stateMachineArn": machine["stateMachineArn"],
        "name": "ord-1",
        "input": order.to_string(),
    });
    let execution =
        aws.call("AWSStepFunctions.StartExecution", start).await["executionArn"].clone();
    let message = std::sync::Mutex::new(Value::Null);
    until_async(|| async {
        let received = json!({"QueueUrl": queue, "AttributeNames": ["All"]});
        let received = aws.call("AmazonSQS.ReceiveMessage", received).await;
        *message.lock().unwrap() = received["Messages"][0].clone();
        received["Messages"][0].is_object()
    })
    .await;
    let message = message.into_inner().unwrap();
    let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["order_id"], &body["total_minor"]), (&json!("ord-1"), &json!(1)));
    let output = json!({"outcome": outcome, "reason": "card_declined"}).to_string();
    let success = json!({"taskToken": body["task_token"], "output": output});
    aws.call("AWSStepFunctions.SendTaskSuccess", success).await;
    let asked = json!({"executionArn": execution, "maxResults": 1000});
    until_async(|| async {
        let execution = aws.call("AWSStepFunctions.DescribeExecution", asked.clone()).await;
        execution["status"] != "RUNNING"
    })
    .await;
    let ended = aws.call("AWSStepFunctions.DescribeExecution", asked.clone()).await;
    let history = aws.call("AWSStepFunctions.GetExecutionHistory", asked).await;
    let entered = history["events"].as_array().unwrap().iter();
    let entered = entered.filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str());
    (entered.map(str::to_owned).collect(), ended["status"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_as_it_is_deployed_takes_a_paid_order_to_its_end() {
    let (states, status) = walk("APPROVED").await;
    assert_eq!(status, "SUCCEEDED", "{states:?}");
    let at = |name: &str| {
        states
            .iter()
            .position(|state| state == name)
            .unwrap_or_else(|| panic!("{name}: {states:?}"))
    };
    let walk = ["Payment", "IsPaid", "Pack", "Ship"].map(at);
    assert!(walk.is_sorted(), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_as_it_is_deployed_frees_the_stock_of_a_declined_order() {
    let (states, _) = walk("DECLINED").await;
    let been = |name: &str| states.iter().any(|state| state == name);
    assert!(been("ReleaseStock") && !been("Ship") && !been("Pack"), "{states:?}");
}

/// Events as the shop sends them, and some that it does not.
fn events() -> Vec<Value> {
    let event = |source: &str, kind: &str, detail: Value| {
        json!({
            "version": "0", "id": "1", "account": "000000000000", "region": "us-east-1",
            "time": "2026-11-21T00:00:00Z", "resources": [],
            "source": source, "detail-type": kind, "detail": detail,
        })
    };
    let order = "shopfast.order-service";
    vec![
        event(order, "order.created", json!({"order_id": "ord-1", "total_minor": 2_580})),
        event(order, "order.updated", json!({"order_id": "ord-1", "new_status": "PAID"})),
        event(order, "order.updated", json!({"order_id": "ord-1", "new_status": "SHIPPING"})),
        event(order, "order.shipped", json!({"order_id": "ord-1", "tracking_id": "T-1"})),
        event(order, "order.lost", json!({})),
        event("shopfast.inventory-service", "inventory.updated", json!({"before": 10, "after": 8})),
        event(order, "order.updated", json!({"order_id": "ord-1", "reason": null})),
        event("shopfast.ops", "ops.chaos.started", json!({"scenario": "cache-flush"})),
        event("somebody.else", "order.created", json!({"order_id": "ord-1", "tags": ["a", "b"]})),
    ]
}

/// The patterns of the rules, and one for each matcher that these do not use.
fn patterns() -> Vec<Value> {
    let rules: Value =
        serde_json::from_str(include_str!("../../contracts/bus-rules.json")).unwrap();
    let rules = rules["Rules"].as_array().unwrap().iter();
    let mut patterns: Vec<_> = rules.map(|rule| rule["EventPattern"].clone()).collect();
    patterns.extend([
        json!({"detail": {"total_minor": [{"numeric": [">", 2_000, "<=", 2_580]}]}}),
        json!({"detail": {"total_minor": [{"numeric": ["<", 2_580]}]}}),
        json!({"detail": {"tracking_id": [{"exists": true}]}}),
        json!({"detail": {"tracking_id": [{"exists": false}]}}),
        json!({"detail": {"new_status": [{"anything-but": ["PAID"]}]}}),
        json!({"detail": {"tags": ["b"]}}),
        json!({"detail": {"reason": [null]}}),
        json!({"detail-type": [{"suffix": ".created"}]}),
        json!({"source": [{"anything-but": {"prefix": "shopfast."}}]}),
    ]);
    patterns
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pattern_matches_here_what_it_matches_there() {
    let aws = Aws::new();
    let (mut matched, mut refused) = (0, 0);
    for pattern in patterns() {
        let ours = Pattern::parse(&pattern).unwrap();
        for event in events() {
            let asked = json!({"EventPattern": pattern.to_string(), "Event": event.to_string()});
            let theirs = aws.call("AWSEvents.TestEventPattern", asked).await["Result"].clone();
            let because = ours.mismatch(&event);
            assert_eq!(theirs, because.is_none(), "{pattern} and {event}: {because:?}");
            if because.is_none() { matched += 1 } else { refused += 1 }
        }
    }
    assert!(matched > 20 && refused > 20, "{matched} {refused}");
}
