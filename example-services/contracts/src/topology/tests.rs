use serde_json::json;

use super::{FILES, Files, Scope, Service, Topology};

#[test]
fn the_files_fit_together_and_hold_the_names_of_the_shop() {
    let topology = Topology::embedded().unwrap();
    for queue in [
        "shopfast-order-queue",
        "shopfast-notification-dlq",
        "shopfast-inventory-dlq",
        "cloudcafe-payment-queue.fifo",
    ] {
        assert!(topology.queue(queue).is_some(), "{queue}");
    }
    let topics: Vec<_> = topology.topics.iter().map(|topic| topic.name.as_str()).collect();
    let wanted = ["shopfast-order-events", "shopfast-inventory-updates", "shopfast-notifications"];
    assert_eq!(topics, wanted);
    assert_eq!(topology.bus.name, "shopfast-events");
    assert_eq!(topology.streams[0].name, "cloudcafe-analytics-stream");
    assert_eq!(
        topology.topics[0].subscriptions[0].filter.as_ref().unwrap().scope,
        Scope::MessageBody
    );
}

#[test]
fn a_created_order_reaches_queue_topic_workflow_and_stream() {
    let topology = Topology::embedded().unwrap();
    let event = json!({
        "source": "shopfast.order-service", "detail-type": "order.created", "detail": {},
    });
    let matching = topology.bus.rules.iter().filter(|rule| rule.pattern.matches(&event));
    let targets: Vec<_> = matching.flat_map(|rule| &rule.targets).map(|t| t.arn.service).collect();
    let wanted = [Service::Queue, Service::Topic, Service::Workflow, Service::Stream];
    assert_eq!(targets, wanted);
}

#[test]
fn files_that_do_not_fit_together_are_refused_with_what_is_wrong() {
    let queue = |text: &str| format!(r#"{{"Queues": [{text}]}}"#);
    let dlq = |to: &str, max: u32| {
        let arn = format!("arn:aws:sqs:r:a:{to}");
        let redrive = json!({"deadLetterTargetArn": arn, "maxReceiveCount": max});
        json!({"QueueName": "q", "Attributes": {"RedrivePolicy": redrive}}).to_string()
    };
    for (queues, wrong) in [
        (queue(r#"{"QueueName": "q", "Colour": 1}"#), "queues.json cannot be read"),
        (queue(r#"{"QueueName": "q.fifo"}"#), "FifoQueue and the ending"),
        (queue(r#"{"QueueName": "q"}, {"QueueName": "q"}"#), "two of the queue q"),
        (queue(&dlq("missing", 3)), "there is no queue missing"),
        (queue(&dlq("q", 3)), "none of its own"),
        (queue(&format!(r#"{}, {{"QueueName": "d"}}"#, dlq("d", 0))), "1 to 1000"),
    ] {
        let files = Files {
            queues: &queues,
            topics: r#"{"Topics": []}"#,
            bus_rules: r#"{"EventBusName": "b", "Rules": []}"#,
            ..FILES
        };
        let error = Topology::parse(files).unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
    }
    for (from, to, wrong) in [
        ("shopfast-order-queue\" }", "missing\" }", "there is no queue missing"),
        ("sns:${Region}:${Account}:shopfast-inventory", "sns:r:a:x", "there is no topic:x"),
        ("stream/cloudcafe", "stream/x", "there is no stream:x"),
        ("arn:aws:states", "arn:aws:lambda", "is no ARN"),
        ("\"$.detail\"", "\"detail\"", "no path of member names"),
        ("[\"PAID\"]", "\"PAID\"", "rule loyalty: its pattern is wrong"),
    ] {
        let rules = FILES.bus_rules.replace(from, to);
        assert_ne!(rules, FILES.bus_rules, "{from}");
        let error = Topology::parse(Files { bus_rules: &rules, ..FILES }).unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
    }
}
