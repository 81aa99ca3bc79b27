use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use obs_core::propagate::message::embedded;
use serde::Deserialize;
use shop_domain::port::Workflow;
use shop_domain::port::messaging::{EventBus, Queue};
use shop_workflow::Engine;

use crate::client::Fault;
use crate::record::{Files, Kill, Span};
use crate::running::{messaging, workflow};

/// The most events of the archive that are looked through.
const MOST: usize = 1_000_000;

/// Where notices go that cannot be delivered.
const NOT_TOLD: &str = "shopfast-notification-dlq";

/// What is known of orders beside their own service.
#[derive(Debug)]
pub(super) struct Evidence {
    orders: BTreeMap<String, Traced>,
    spans: BTreeMap<String, Vec<Span>>,
    /// Spans of other traces, by the traces they are linked to.
    linked: BTreeMap<String, Vec<Span>>,
    lines: BTreeMap<String, Vec<SeenLine>>,
    /// Orders of which a notice is among the dead letters.
    not_told: BTreeSet<String>,
    pub(super) kills: Vec<Kill>,
    engine: Engine,
}

/// What the archive of the bus tells of an order.
#[derive(Clone, Debug, Default)]
pub(super) struct Traced {
    pub(super) trace_id: String,
    pub(super) correlation_id: String,
    /// The types of its events, and the statuses they tell of.
    pub(super) events: BTreeSet<String>,
}

/// As much of a line as is looked at.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SeenLine {
    #[serde(default)]
    pub(super) timestamp: String,
    #[serde(default)]
    pub(super) service: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) correlation_id: String,
    #[serde(default)]
    pub(super) trace_id: String,
    #[serde(default)]
    pub(super) span_id: String,
    pub(super) order_id: Option<String>,
    pub(super) user_id: Option<String>,
    #[serde(default)]
    duration_ms: f64,
}

impl SeenLine {
    /// How long the work took that ended with this line; zero for one within it.
    pub(super) fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.duration_ms / 1_000.0).unwrap_or_default()
    }
}

impl Evidence {
    /// Reads what there is of one order, or of all.
    pub(super) async fn load(data: &Path, only: Option<&str>) -> Result<Self, Fault> {
        let orders = archived(data, only).await?;
        let traces: BTreeSet<&str> = orders.values().map(|one| one.trace_id.as_str()).collect();
        let ids: BTreeSet<&str> = orders.values().map(|one| one.correlation_id.as_str()).collect();
        let files = Files::under(data);
        let (mut spans, mut linked) = (BTreeMap::<_, Vec<Span>>::new(), BTreeMap::new());
        let is_wanted = |span: &Span| {
            traces.contains(span.trace_id.as_str())
                || span.links.iter().any(|link| traces.contains(link.trace_id.as_str()))
        };
        for span in files.spans(is_wanted)? {
            for link in &span.links {
                let others: &mut Vec<Span> = linked.entry(link.trace_id.clone()).or_default();
                others.push(span.clone());
            }
            spans.entry(span.trace_id.clone()).or_default().push(span);
        }
        let mut lines = BTreeMap::<_, Vec<SeenLine>>::new();
        files.each_line(|text| {
            // The last one may be half written.
            let Ok(line) = serde_json::from_str::<SeenLine>(text) else { return };
            if ids.contains(line.correlation_id.as_str()) || traces.contains(line.trace_id.as_str())
            {
                lines.entry(line.trace_id.clone()).or_default().push(line);
            }
        })?;
        let (kills, engine) = (files.kills()?, workflow::open(data)?);
        let not_told = not_told(data).await?;
        Ok(Self { orders, spans, linked, lines, not_told, kills, engine })
    }

    /// Whether everything that the customer of an order was to be told has reached its channel.
    pub(super) fn is_told(&self, id: &str) -> bool {
        !self.not_told.contains(id)
    }

    pub(super) fn orders(&self) -> impl Iterator<Item = &str> {
        self.orders.keys().map(String::as_str)
    }

    pub(super) fn traced(&self, id: &str) -> Option<&Traced> {
        self.orders.get(id)
    }

    /// The spans of a trace, and those linked to it.
    pub(super) fn spans(&self, trace_id: &str) -> (&[Span], &[Span]) {
        (
            self.spans.get(trace_id).map_or(&[], Vec::as_slice),
            self.linked.get(trace_id).map_or(&[], Vec::as_slice),
        )
    }

    /// The lines of an order's trace.
    pub(super) fn lines(&self, traced: &Traced) -> impl Iterator<Item = &SeenLine> {
        self.lines.get(&traced.trace_id).into_iter().flatten()
    }

    /// Lines that have the correlation id of an order in a trace that did not begin at the gateway,
    /// by trace.
    ///
    /// A customer who asks again may use the id again: that is another request, and another trace.
    /// So is work on several messages at once, which is linked to the order's trace.
    pub(super) fn strays<'a>(
        &'a self,
        traced: &'a Traced,
    ) -> impl Iterator<Item = Vec<&'a SeenLine>> {
        let (_, linked) = self.spans(&traced.trace_id);
        let others = self.lines.iter().filter(move |(trace_id, lines)| {
            **trace_id != traced.trace_id
                && !linked.iter().any(|span| span.trace_id == **trace_id)
                && !lines.iter().any(|line| line.service == "gateway")
        });
        let own = |line: &&SeenLine| line.correlation_id == traced.correlation_id;
        let traces = others.map(move |(_, lines)| lines.iter().filter(own).collect::<Vec<_>>());
        traces.filter(|lines| !lines.is_empty())
    }

    /// The states that an order's execution has left, and how it ended.
    pub(super) async fn states(&self, id: &str) -> Result<(BTreeSet<String>, String), Fault> {
        let execution = self.engine.describe(id).await?;
        let ended =
            execution.map_or_else(|| "missing".to_owned(), |e| e.status.as_str().to_owned());
        let history = self.engine.history(id, 0, MOST).await?;
        let left = history.iter().filter(|event| event.kind.ends_with("StateExited"));
        let names = left.filter_map(|event| event.details["name"].as_str());
        Ok((names.map(str::to_owned).collect(), ended))
    }
}

/// The orders that the archive of the bus tells of.
async fn archived(data: &Path, only: Option<&str>) -> Result<BTreeMap<String, Traced>, Fault> {
    let mut orders = BTreeMap::<String, Traced>::new();
    for archived in messaging::open(data)?.bus().archived(0, MOST).await? {
        let event = archived.event;
        let text = |key: &str| event.detail.get(key).and_then(|value| value.as_str());
        let Some(id) = text("order_id").filter(|id| only.is_none_or(|only| only == *id)) else {
            continue;
        };
        let order = orders.entry(id.to_owned()).or_default();
        let what = text("new_status").map_or_else(
            || event.detail_type.clone(),
            |status| format!("{} {status}", event.detail_type),
        );
        order.events.insert(what);
        let trace = embedded::get(&event.detail);
        let field = |name: &str| trace.and_then(|trace| trace.get(name)?.as_str());
        if event.detail_type == "order.created" {
            let parent = field("traceparent").unwrap_or_default();
            order.trace_id = parent.split('-').nth(1).unwrap_or_default().to_owned();
            order.correlation_id = field("x-correlation-id").unwrap_or_default().to_owned();
        }
    }
    Ok(orders)
}

/// The orders whose customers could not be told.
async fn not_told(data: &Path) -> Result<BTreeSet<String>, Fault> {
    let Some(dead) = messaging::open(data)?.queue(NOT_TOLD) else { return Ok(BTreeSet::new()) };
    let letters = dead.peek(MOST).await?;
    let notices = letters.iter().filter_map(|letter| serde_json::from_str(&letter.body).ok());
    Ok(notices.map(|About { order_id }| order_id).collect())
}

/// Whom a notice is about.
#[derive(Deserialize)]
struct About {
    order_id: String,
}
