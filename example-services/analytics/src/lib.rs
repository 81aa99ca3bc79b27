//! The analytics worker: facts from the stream, and reports of them.
//!
//! | endpoint | does |
//! |---|---|
//! | `GET /reports` | the names of the reports |
//! | `GET /reports/{name}` | `{"report", "rows": […]}` |
//! | `POST /stress/query-storm?scale&duration_ms` | the reports of a quarter's end, within bounds |
//!
//! Facts come from the stream `cloudcafe-analytics-stream` and from `shopfast-inventory-updates`:
//! [`fact`] reads an event, [`ingest`] keeps it, once, however often it is delivered.

mod storm;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::Value;
use shop_domain::analytics::{Fact, Report};
use shop_domain::port::{AnalyticsStore, StoreError};
use shop_kit::extract::{Json, Path};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::stress::Turns;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Analytics {
    /// Where facts are kept.
    pub store: Arc<dyn AnalyticsStore>,
    /// Who may run a stress scenario.
    pub turns: Turns,
}

/// The service, without the layers around it.
pub fn app(analytics: Analytics) -> Router {
    let router = Router::new()
        .route("/reports", get(names))
        .route("/reports/{name}", get(report))
        .route("/stress/query-storm", post(storm::storm));
    refuse_the_rest(router).with_state(analytics)
}

/// The fact that an event, as the bus delivers it, tells; `None` for what is no event.
#[must_use]
pub fn fact(event: &Value, at_ms: u64) -> Option<Fact> {
    let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
    let mut detail = event.get("detail")?.clone();
    if let Some(members) = detail.as_object_mut() {
        members.remove("_trace");
    }
    Some(Fact {
        event_id: text(&detail, "event_id")?,
        kind: text(event, "detail-type")?,
        subject: text(&detail, "subject")?,
        at_ms,
        detail,
    })
}

/// Keeps facts; says how many of them are new.
///
/// # Errors
/// When the store fails.
#[tracing::instrument(name = "analytics.ingest", skip_all, fields(facts = facts.len()))]
pub async fn ingest(analytics: &Analytics, facts: &[Fact]) -> Result<u64, StoreError> {
    analytics.store.ingest(facts).await
}

#[derive(Serialize)]
struct Names {
    reports: [&'static str; Report::ALL.len()],
}

async fn names() -> Json<Names> {
    Json(Names { reports: Report::ALL.map(Report::as_str) })
}

#[derive(Serialize)]
struct Rows {
    report: &'static str,
    rows: Vec<Value>,
}

async fn report(
    State(analytics): State<Analytics>,
    Path(name): Path<String>,
) -> Result<Json<Rows>, Failure> {
    let report = Report::parse(&name)
        .ok_or_else(|| Failure::not_found("there is no such report; see /reports"))?;
    let rows = analytics.store.report(report).await?;
    Ok(Json(Rows { report: report.as_str(), rows }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fact_is_an_event_without_its_trace() {
        let detail = json!({"event_id": "e1", "subject": "o1", "_trace": {"a": "b"}, "x": 1});
        let event = json!({"detail-type": "order.created", "detail": detail});
        let fact = fact(&event, 7).unwrap();
        assert_eq!((fact.event_id.as_str(), fact.kind.as_str()), ("e1", "order.created"));
        assert_eq!(fact.detail, json!({"event_id": "e1", "subject": "o1", "x": 1}));
        assert!(super::fact(&json!({"detail": {}}), 7).is_none());
        assert!(super::fact(&json!("text"), 7).is_none());
    }
}
