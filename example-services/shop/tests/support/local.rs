use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::environment::Environment;
use obs_core::output::{Capture, Output};
use obs_core::subscriber::ObsLayer;
use obs_core::trace::{ExportReport, SpanExporter, SpanRecord};
use shop::name::{Name, Ports};
use shop::running::{Plan, Running};
use tempfile::TempDir;
use tracing_subscriber::layer::SubscriberExt;

use super::{Client, Line};

/// A shop in this process, with everything it leaves behind kept.
#[derive(Debug)]
pub struct LocalShop {
    running: Running,
    captured: Capture,
    spans: Spans,
    _data: TempDir,
}

/// What a shop left behind when it stopped.
#[derive(Debug)]
pub struct Remains {
    pub text: String,
    pub lines: Vec<Line>,
    pub spans: Vec<(Name, SpanRecord)>,
}

impl LocalShop {
    pub async fn start() -> Self {
        Self::start_with(Environment::empty()).await
    }

    pub async fn start_with(environment: Environment) -> Self {
        Self::start_plan(environment, &[]).await
    }

    /// A shop in which one service does not run, so that orders go no further than to it.
    pub async fn without(service: Name) -> Self {
        Self::start_plan(Environment::empty(), &[service]).await
    }

    pub async fn start_plan(environment: Environment, without: &[Name]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (output, captured) = Output::captured();
        // Once for all shops of the process: a request is observed by its own service's telemetry.
        // Not `install_global`, which would turn the panics of failing tests into lines.
        let subscriber = tracing_subscriber::registry().with(ObsLayer::alone());
        let _ = tracing::subscriber::set_global_default(subscriber);
        let spans = Spans::default();
        let exporters = spans.clone();
        let running = Running::start(Plan {
            data: data.path().to_owned(),
            ports: Ports::Free,
            services: Name::ALL.into_iter().filter(|name| !without.contains(name)).collect(),
            output,
            span_exporters: Some(Arc::new(move |name, _| {
                Box::new(Exporter(name, exporters.clone()))
            })),
            environment,
        })
        .await
        .unwrap();
        Self { running, captured, spans, _data: data }
    }

    pub fn url(&self, service: Name) -> String {
        self.running.urls()[service.as_str()].clone()
    }

    pub fn client(&self, service: Name) -> Client {
        Client::new(&self.url(service))
    }

    pub fn gateway(&self) -> Client {
        self.client(Name::Gateway)
    }

    /// Stops the shop, and checks what holds whenever it stops.
    pub async fn stop(self) -> Remains {
        let stopped = self.running.stop().await;
        assert!(stopped.finished && stopped.flushed, "{stopped:?}");
        assert!(stopped.lines.is_conserved(), "{stopped:?}");
        assert_eq!(stopped.lines.dropped(), 0, "{stopped:?}");
        let text = self.captured.text();
        let lines = super::parse(&text);
        Remains { text, lines, spans: self.spans.0.lock().unwrap().clone() }
    }
}

#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<(Name, SpanRecord)>>>);

#[derive(Debug)]
struct Exporter(Name, Spans);

impl SpanExporter for Exporter {
    fn export(&mut self, batch: &[SpanRecord], _: Duration) -> ExportReport {
        let spans = batch.iter().map(|span| (self.0, span.clone()));
        self.1.0.lock().unwrap().extend(spans);
        ExportReport::new().exported(batch.len())
    }
}
