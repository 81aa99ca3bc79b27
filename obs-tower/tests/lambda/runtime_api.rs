//! The part of Lambda that a function sees: the
//! [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), over HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use obs_core::clock::Clock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

/// How long an invocation may take.
const LIMIT_MILLIS: u64 = 60_000;

/// What a function is invoked with.
pub(crate) struct Event {
    pub(crate) payload: Value,
    pub(crate) trace: Option<&'static str>,
}

/// What a function answered.
pub(crate) struct Answer {
    /// `response` or `error`.
    pub(crate) kind: &'static str,
    pub(crate) body: Value,
    /// What the process had written to its standard output when the answer came.
    pub(crate) output: String,
}

/// Runs the function as a process of its own, one event after the other.
pub(crate) fn run<const N: usize>(function: &str, events: [Event; N]) -> Vec<Answer> {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let output = directory.path().join("output");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (api, mut answers) = RuntimeApi::serve(events, &output).await;
        let server = tokio::spawn(async move { axum::serve(listener, api).await });
        let mut process = start(function, address, &output);
        let mut answered = Vec::new();
        while answered.len() < N {
            tokio::select! {
                answer = answers.recv() => answered.push(answer.expect("the server sends")),
                status = process.wait() => panic!("the function has ended: {status:?}"),
            }
        }
        server.abort();
        answered
    })
}

/// Starts the process of a function, which is killed when dropped.
fn start(function: &str, api: SocketAddr, output: &Path) -> Child {
    let program = std::env::current_exe().expect("a process knows its program");
    let output = std::fs::File::create(output).expect("a file can be made");
    let mut command = Command::new(program);
    command
        .arg(function)
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", function)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .stdout(output)
        .kill_on_drop(true);
    command.spawn().expect("the program that runs can be run")
}

#[derive(Clone)]
struct RuntimeApi {
    events: Arc<Mutex<mpsc::Receiver<(usize, Event)>>>,
    answers: mpsc::Sender<Answer>,
    output: Arc<PathBuf>,
}

impl RuntimeApi {
    async fn serve<const N: usize>(
        events: [Event; N],
        output: &Path,
    ) -> (Router, mpsc::Receiver<Answer>) {
        let (sender, receiver) = mpsc::channel(N);
        for event in events.into_iter().enumerate() {
            sender.send(event).await.expect("there is room for all");
        }
        let (answers, answered) = mpsc::channel(N);
        let events = Arc::new(Mutex::new(receiver));
        let api = Self { events, answers, output: Arc::new(output.to_owned()) };
        // After the last event the next one never comes, as when nobody invokes the function.
        let next = move |api: State<Self>| {
            let still_open = sender.clone();
            async move {
                let _open = still_open;
                next(api).await
            }
        };
        let routes = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/response", post(response))
            .route("/invocation/{id}/error", post(error));
        (Router::new().nest("/2018-06-01/runtime", routes).with_state(api), answered)
    }

    async fn answered(&self, kind: &'static str, body: &[u8]) -> StatusCode {
        let body = serde_json::from_slice(body).expect("an answer is JSON");
        let output = std::fs::read_to_string(&*self.output).expect("the output is text");
        let _ = self.answers.send(Answer { kind, body, output }).await;
        StatusCode::ACCEPTED
    }
}

async fn next(State(api): State<RuntimeApi>) -> Response {
    let event = api.events.lock().await.recv().await;
    let (index, event) = event.expect("a sender is still open");
    let deadline = Clock::system().wall().unix_millis() + LIMIT_MILLIS;
    let headers = [
        ("lambda-runtime-aws-request-id", format!("request-{index}")),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:1:function:it".to_owned(),
        ),
    ];
    let trace = event.trace.map(|trace| [("lambda-runtime-trace-id", trace)]);
    let payload = axum::Json(event.payload);
    match trace {
        Some(trace) => (headers, trace, payload).into_response(),
        None => (headers, payload).into_response(),
    }
}

async fn response(State(api): State<RuntimeApi>, body: Bytes) -> StatusCode {
    api.answered("response", &body).await
}

async fn error(State(api): State<RuntimeApi>, body: Bytes) -> StatusCode {
    api.answered("error", &body).await
}
