//! The interceptor in a client of the AWS SDK, on the wire and against a service.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use obs_core::context::{RequestContext, Scoped, TraceInterceptor};
use obs_core::environment::Environment;
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;

fn request() -> RequestContext {
    let (output, _captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .build()
        .unwrap();
    RequestContext::builder(&telemetry).sampled(true).build()
}

/// Sees each attempt when every interceptor has changed it and it is not signed yet.
#[derive(Clone, Debug, Default)]
struct BeforeSigning(Arc<Mutex<Vec<Seen>>>);

#[derive(Debug)]
struct Seen {
    header: Option<String>,
    is_signed: bool,
}

impl Intercept for BeforeSigning {
    fn name(&self) -> &'static str {
        "BeforeSigning"
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request().headers();
        let header = headers.get("x-amzn-trace-id").map(str::to_ascii_lowercase);
        let is_signed = headers.contains_key("authorization");
        self.0.lock().unwrap().push(Seen { header, is_signed });
        Ok(())
    }
}

fn client(endpoint: &str, retries: RetryConfig, probe: &BeforeSigning) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(retries)
        .interceptor(TraceInterceptor::new())
        .interceptor(probe.clone())
        .build();
    Client::from_conf(config)
}

/// Answers as many calls as there are statuses, and gives back the head of each, in lower case.
fn service(statuses: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let answer = |status: &str| {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                stream.read_line(&mut head).unwrap();
                let line = head[start..].to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let body = r#"{"TableNames":[]}"#;
            write!(
                stream.get_mut(),
                "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
            head.to_ascii_lowercase()
        };
        statuses.iter().map(|status| answer(status)).collect()
    });
    (endpoint, serving)
}

fn line<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn the_header_names_the_request_and_is_there_before_the_call_is_signed() {
    let (endpoint, serving) = service(&["200 OK"]);
    let (request, probe) = (request(), BeforeSigning::default());
    let call = client(&endpoint, RetryConfig::disabled(), &probe).list_tables().send();
    Scoped::new(call, request.clone()).await.unwrap();
    let heads = serving.join().unwrap();
    let (root, parent) = (request.trace_id().to_xray(), request.span_id());
    let expected = format!("root={root};parent={parent};sampled=1");
    assert_eq!(line(&heads[0], "x-amzn-trace-id"), Some(expected.as_str()), "{}", heads[0]);
    assert!(line(&heads[0], "authorization").is_some(), "{}", heads[0]);
    let seen = probe.0.lock().unwrap();
    let [seen] = &seen[..] else { panic!("one attempt: {seen:?}") };
    assert_eq!((seen.header.as_ref(), seen.is_signed), (Some(&expected), false));
}

#[tokio::test]
async fn each_attempt_carries_the_header_once() {
    let (endpoint, serving) = service(&["503 Service Unavailable", "200 OK"]);
    let retries = RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1));
    let call = client(&endpoint, retries, &BeforeSigning::default()).list_tables().send();
    Scoped::new(call, request()).await.unwrap();
    for head in serving.join().unwrap() {
        assert_eq!(head.matches("x-amzn-trace-id:").count(), 1, "{head}");
    }
}

#[tokio::test]
async fn outside_of_a_request_a_call_goes_out_as_it_is() {
    let (endpoint, serving) = service(&["200 OK"]);
    let client = client(&endpoint, RetryConfig::disabled(), &BeforeSigning::default());
    client.list_tables().send().await.unwrap();
    let heads = serving.join().unwrap();
    assert_eq!(line(&heads[0], "x-amzn-trace-id"), None, "{}", heads[0]);
}

#[cfg(feature = "real-parts")]
#[tokio::test]
async fn ministack_answers_a_call_with_the_header() {
    let environment = Environment::process();
    let endpoint = environment.get("OBS_TEST_MINISTACK");
    let endpoint = endpoint.expect("OBS_TEST_MINISTACK names the part that this test needs");
    let client = client(endpoint, RetryConfig::disabled(), &BeforeSigning::default());
    let call = client.list_tables().send();
    Scoped::new(call, request()).await.unwrap();
}
