//! A task on ECS and a Lambda function find out what they are. Runs itself as that process, with
//! the environment that the platform gives it.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use obs_core::environment::Environment;
use obs_core::resource::Resource;

const CHILD: &str = "as-the-child";

/// What the agent of ECS on Fargate says of a task and of its container, shortened
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-examples.html>).
const TASK: &str = r#"{"Cluster":"arn:aws:ecs:us-west-2:111122223333:cluster/shop",
    "TaskARN":"arn:aws:ecs:us-west-2:111122223333:task/shop/e9028f8d5d8e4f258373e7b93ce9a3c3",
    "Family":"orders","Revision":"3","DesiredStatus":"RUNNING","KnownStatus":"RUNNING",
    "LaunchType":"FARGATE","AvailabilityZone":"us-west-2a"}"#;
const CONTAINER: &str = r#"{"DockerId":"cd189a933e5849daa93386466019ab50-2495160603","Name":"orders",
    "Image":"111122223333.dkr.ecr.us-west-2.amazonaws.com/orders:1.4","Labels":{},
    "ContainerARN":"arn:aws:ecs:us-west-2:111122223333:container/05966557-f16c-49cb-9352-24b3a0dcd0e1",
    "LogDriver":"awslogs","LogOptions":{"awslogs-group":"/ecs/orders","awslogs-region":"us-west-2",
    "awslogs-stream":"ecs/orders/cd189a933e5849daa93386466019ab50"}}"#;

fn main() {
    if std::env::args().any(|argument| argument == CHILD) {
        return child();
    }
    run("a_task_on_ecs_knows_its_cluster_task_and_log_group", ecs);
    run("a_lambda_function_knows_itself_without_asking_anybody", lambda);
}

fn run(name: &str, test: fn()) {
    test();
    eprintln!("{name} ... ok");
}

/// Prints what it found.
fn child() {
    let resource = Resource::detect_aws(&Environment::process(), Duration::from_secs(30));
    let mut stdout = std::io::stdout().lock();
    for (key, value) in resource.iter() {
        writeln!(stdout, "{key}={value}").unwrap();
    }
    for (member, value) in resource.entity_members() {
        writeln!(stdout, "{member}={value}").unwrap();
    }
}

fn found(variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.arg(CHILD).env_clear().envs(variables.iter().copied());
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn assert_lines(found: &str, expected: &[&str]) {
    for line in expected {
        assert!(found.lines().any(|other| other == *line), "no {line} in:\n{found}");
    }
}

fn ecs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v4/task", listener.local_addr().unwrap());
    let agent = std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let is_task = line.starts_with("GET /v4/task/task ");
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).unwrap();
            }
            let body = if is_task { TASK } else { CONTAINER };
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let length = body.len();
            let stream = stream.get_mut();
            write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    let found = found(&[("ECS_CONTAINER_METADATA_URI_V4", &address)]);
    agent.join().unwrap();
    assert_lines(
        &found,
        &[
            "cloud.platform=aws_ecs",
            "cloud.region=us-west-2",
            "cloud.account.id=111122223333",
            "aws.ecs.task.family=orders",
            "aws.log.group.names=/ecs/orders",
            "container.name=orders",
            "ECS.Cluster=shop",
            "ECS.Task=e9028f8d5d8e4f258373e7b93ce9a3c3",
        ],
    );
}

fn lambda() {
    let found = found(&[
        ("AWS_LAMBDA_FUNCTION_NAME", "resize"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/resize"),
        ("AWS_REGION", "eu-west-1"),
    ]);
    assert_lines(
        &found,
        &[
            "cloud.platform=aws_lambda",
            "cloud.region=eu-west-1",
            "faas.name=resize",
            "faas.version=7",
            "faas.max_memory=268435456",
            "aws.log.group.names=/aws/lambda/resize",
            "Lambda.Function=resize",
        ],
    );
}
