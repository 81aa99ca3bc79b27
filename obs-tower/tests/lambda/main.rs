//! The Lambda entry as Lambda runs it: a process that asks the Runtime API for invocations over
//! HTTP and may be frozen as soon as it has answered one. Runs itself as that process, which is one
//! of the examples.

mod runtime_api;

#[path = "../../examples/lambda.rs"]
mod lambda;
#[path = "../../examples/lambda_http.rs"]
mod lambda_http;
#[path = "../../examples/lambda_sqs.rs"]
mod lambda_sqs;

use runtime_api::{Answer, Event, run};
use serde_json::{Value, json};

const TRACE: &str = "Root=1-6955b900-0e2c1a002aae913d2c0fc8dd;Parent=53995c3f42cd8ad8;Sampled=1";
const TRACE_ID: &str = "6955b9000e2c1a002aae913d2c0fc8dd";

fn main() {
    let function = std::env::args().nth(1);
    let served = match function.as_deref() {
        Some("lambda") => lambda::main(),
        Some("lambda_http") => lambda_http::main(),
        Some("lambda_sqs") => lambda_sqs::main(),
        _ => {
            every_invocation_is_recorded_before_its_answer();
            a_batch_is_answered_with_the_messages_that_failed();
            an_http_function_leaves_the_record_of_its_request();
            return;
        }
    };
    served.expect("a function serves until it is stopped");
}

/// The records that were written until the answer came. The runtime has lines of its own.
fn records(answer: &Answer, message: &str) -> Vec<Value> {
    let lines = answer.output.lines().map(|line| serde_json::from_str(line).expect(line));
    lines.filter(|line: &Value| line["message"] == message).collect()
}

/// The line that the guide for functions shows.
fn shown_in_the_guide() -> String {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/lambda.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is in the repository");
    let (_before, shown) = guide.split_once("```json\n").expect("it shows a line");
    shown.split("```").next().unwrap_or_default().to_owned()
}

/// The names of the members of a line and of those within, in their order.
fn members(line: &str) -> Vec<String> {
    let names = line.split("\":").map(|before| before.rsplit('"').next().unwrap_or_default());
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    // What follows the last one is a value.
    names.pop();
    names
}

fn every_invocation_is_recorded_before_its_answer() {
    let events = [json!({ "width": 100 }), json!({ "height": 1 }), json!({ "width": 7 })];
    let answers = run("lambda", events.map(|payload| Event { payload, trace: Some(TRACE) }));

    assert_eq!((answers[0].kind, &answers[0].body), ("response", &json!({ "resized_to": 100 })));
    assert_eq!(
        (answers[1].kind, &answers[1].body["errorMessage"]),
        ("error", &"width is missing".into())
    );
    assert_eq!((answers[2].kind, &answers[2].body), ("response", &json!({ "resized_to": 7 })));
    for (index, outcome) in ["success", "service_error", "success"].into_iter().enumerate() {
        let written = records(&answers[index], "invocation completed");
        assert_eq!(written.len(), index + 1, "each line is there when its answer is: {written:#?}");
        let line = &written[index];
        assert_eq!(line["outcome"], outcome);
        assert_eq!((&line["service"], &line["trace_id"]), (&"resize".into(), &TRACE_ID.into()));
        assert_eq!(line["function_request_id"], format!("request-{index}"));
        assert_eq!(
            (&line["cold_start"], &line["ColdStarts"]),
            (&(index == 0).into(), &u8::from(index == 0).into())
        );
        let remaining = line["remaining_ms"].as_f64().expect("Lambda gives a deadline");
        assert!(remaining > 0.0 && remaining <= 60_000.0, "{remaining}");
        assert_eq!(line["InvocationFaults"], u8::from(outcome != "success"));
    }
    assert_eq!(records(&answers[2], "invocation completed")[2]["width"], 7);
    let printed = answers[0].output.lines().find(|line| line.contains("invocation completed"));
    assert_eq!(members(printed.expect("it was found above")), members(&shown_in_the_guide()));
    eprintln!("every_invocation_is_recorded_before_its_answer ... ok");
}

fn a_batch_is_answered_with_the_messages_that_failed() {
    let message = |id, body| {
        json!({
            "messageId": id,
            "body": body,
            "attributes": { "AWSTraceHeader": TRACE, "ApproximateReceiveCount": "2", "SentTimestamp": "1767225600000" },
            "messageAttributes": { "x-correlation-id": { "stringValue": format!("order-{id}"), "dataType": "String" } },
        })
    };
    let payload =
        json!({ "Records": [message("m-1", "7"), message("m-2", "seven"), message("m-3", "9")] });
    let answers = run("lambda_sqs", [Event { payload, trace: None }]);

    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "m-2" }] });
    assert_eq!((answers[0].kind, &answers[0].body), ("response", &failed));
    let messages = records(&answers[0], "message processed");
    let invocations = records(&answers[0], "invocation completed");
    assert_eq!((messages.len(), invocations.len()), (3, 1));
    for (line, (id, outcome)) in
        messages.iter().zip([("m-1", "success"), ("m-2", "service_error"), ("m-3", "success")])
    {
        assert_eq!((&line["message_id"], &line["outcome"]), (&id.into(), &outcome.into()));
        assert_eq!((&line["attempt"], &line["trace_id"]), (&2.into(), &TRACE_ID.into()));
        assert_eq!(line["correlation_id"], format!("order-{id}"));
        assert!(line["age_ms"].as_f64().is_some_and(|age| age > 0.0));
    }
    assert_eq!(invocations[0]["outcome"], "success", "what failed is told in the answer");
    eprintln!("a_batch_is_answered_with_the_messages_that_failed ... ok");
}

/// A request as an HTTP API of API Gateway hands it over.
fn get(path: &str) -> Event {
    let payload = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "api.example.com", "x-correlation-id": "corr-1" },
        "requestContext": {
            "accountId": "1", "apiId": "api", "domainName": "api.example.com",
            "domainPrefix": "api", "requestId": "gateway-1", "routeKey": "$default",
            "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_u64,
            "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "test" },
        },
        "isBase64Encoded": false,
    });
    Event { payload, trace: Some(TRACE) }
}

fn an_http_function_leaves_the_record_of_its_request() {
    let answers = run("lambda_http", [get("/orders/7"), get("/nowhere"), get("/orders/8")]);
    assert_eq!(answers[0].body["statusCode"], 200);
    assert_eq!(answers[0].body["body"], "order 7\n");
    assert_eq!(answers[0].body["headers"]["x-correlation-id"], "corr-1");
    assert_eq!(answers[1].body["statusCode"], 404);
    for (index, (status, route)) in
        [(200, "/orders/{id}"), (404, "__unmatched__"), (200, "/orders/{id}")]
            .into_iter()
            .enumerate()
    {
        let written = records(&answers[index], "request completed");
        assert_eq!(written.len(), index + 1, "one line for each request: {written:#?}");
        let line = &written[index];
        assert_eq!(line["status"], status);
        assert_eq!((&line["route"], &line["trace_id"]), (&route.into(), &TRACE_ID.into()));
        assert_eq!(line["function_request_id"], format!("request-{index}"));
        assert_eq!(
            (&line["cold_start"], &line["ColdStarts"]),
            (&(index == 0).into(), &u8::from(index == 0).into())
        );
        assert!(line["remaining_ms"].as_f64().is_some_and(|left| left > 0.0));
    }
    eprintln!("an_http_function_leaves_the_record_of_its_request ... ok");
}
